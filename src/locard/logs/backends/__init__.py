"""The same question in the languages of log backends, one language a file.

A dialect has a function `write(asked)` that gives a `Written`. What its language cannot say is left
out of the text, so that it finds more and never less, and is told.
"""
