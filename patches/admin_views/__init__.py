"""Pages about hot patches and nodes."""
