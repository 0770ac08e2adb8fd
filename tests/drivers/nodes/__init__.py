"""Running nodes of every runtime."""
