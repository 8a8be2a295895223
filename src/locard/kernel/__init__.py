"""The kernel wing: what the process asks of the system."""
