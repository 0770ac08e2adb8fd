"""Pretend devices: they speak Mender's device API over HTTP as its client does, many in one process. Knows nothing of Django."""
