"""Probes of the logs layer, one a file."""
