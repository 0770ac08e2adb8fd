"""The version that a checkout says it is."""

from __future__ import annotations

import tomllib
from pathlib import Path


def project_version(base: Path) -> str:
    """What pyproject.toml says in `base`."""
    project = tomllib.loads((base / "pyproject.toml").read_text())
    return str(project["project"]["version"])
