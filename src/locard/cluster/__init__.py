"""Kubernetes: what to ask a cluster through the user's own kubectl, and how to read its answers. Starts nothing."""
