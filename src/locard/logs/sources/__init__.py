"""Where logs come from: one kind of source a file, found by file name."""
