"""How log lines are written: one format a file, found by file name."""
