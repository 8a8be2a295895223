"""Engines that read a log into a table."""
