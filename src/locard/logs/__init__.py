"""The logs wing: reading and the first pass without a hypothesis."""
