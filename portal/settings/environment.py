"""Where the portal lives, and the reader of its environment variables."""

from __future__ import annotations

import os
from pathlib import Path

import environ

from portal.settings.project_version import project_version

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = environ.Env()
env.ENVIRON = {name: text for name, text in os.environ.items() if text}
"""An empty variable is one that is not set: a line `NAME=` in a file of them takes a value back."""

VAR_DIR = Path(env("FLEETWRIGHT_VAR", default=str(BASE_DIR / "var"))).resolve()
"""Everything the portal writes, when nothing else is set: database, storage, secrets, Redis, localhost's root folder."""

VERSION = env("FLEETWRIGHT_VERSION", default="") or project_version(BASE_DIR)
"""The portal's version: what its image was built as, which is also the image's label; in a checkout the project's."""
