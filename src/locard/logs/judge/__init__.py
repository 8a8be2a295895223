"""The first pass without a hypothesis: what changed, since when, whom it hits."""
