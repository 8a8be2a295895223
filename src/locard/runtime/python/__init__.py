"""CPython, through py-spy."""
