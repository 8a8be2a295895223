"""Scenarios, one a file."""
