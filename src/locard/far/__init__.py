"""What runs beside the target: standard library only, Python 3.6 or later, from memory."""
