"""Questions to a log: it is opened, filtered, shown, and kept for the next question."""
