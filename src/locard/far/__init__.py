"""What runs beside the target: standard library only, Python 3.6 syntax, streamed and gone at its end."""
