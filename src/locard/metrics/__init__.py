"""The metrics wing: golden signals in numbers."""
