"""Real broken services with known faults: demo, tests and scoring use the same ones."""
