"""The table that a scan becomes: its columns, what is kept of them, and what goes to a file."""
