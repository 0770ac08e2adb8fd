"""How fast pages and orders are with a fleet of a real size: `make bench` fills a database, measures, compares with limits."""
