"""The one place that starts processes or opens connections."""
