"""Probes of the kernel layer, one a file."""
