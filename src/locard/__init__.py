"""locard: production debugging without a debugger."""

__version__ = "0.1.0"
