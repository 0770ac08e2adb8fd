"""Where the portal lives, and the reader of its environment variables."""

from __future__ import annotations

from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = environ.Env()

VAR_DIR = Path(env("FLEETWRIGHT_VAR", default=str(BASE_DIR / "var"))).resolve()
"""Everything the portal writes, when nothing else is set: database, storage, secrets, Redis, localhost's root folder."""
