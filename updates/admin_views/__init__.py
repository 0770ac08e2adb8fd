"""Pages about artifacts and upgrades: one module for each noun, one class or function for each page."""
