"""CPython: its stacks, profile, heap and names, read from outside, and the watch of its functions."""
