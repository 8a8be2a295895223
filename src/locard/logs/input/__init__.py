"""Bytes of a log: files, sets of rotated files, pipes, packed or plain, and the times at which they begin."""
