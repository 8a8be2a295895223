"""What runs inside a watched CPython, 3.8 to 3.15: text that is given to it in parts, in a namespace of its own.

It imports nothing and takes no lock of the application; no code of the application is run by it. `far/python_watch.py`
gives it its parts: boot first, as the source of the thread that `far/python_inject.py` starts.
"""
