"""Keeps the portal's own processes running on one machine, as one group. Knows nothing of Django."""
