"""`--where`: a small language over the fields of a log, parsed and compiled, never evaluated."""
