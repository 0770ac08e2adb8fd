"""Verbs for hot patches and nodes."""
