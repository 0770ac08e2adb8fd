"""A small system that carries Fleetwright's agent: `main` is threaded, `prefork` has workers. Tests copy it and run the copy."""
