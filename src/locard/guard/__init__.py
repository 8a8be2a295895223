"""The one gate: what may run, how hard, for how long; and what may be kept of its output."""
