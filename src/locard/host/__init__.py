"""The read-only checklist of the host, one probe a file."""
