"""Secrets that the portal makes for itself on its first start, so that nobody has to, and nobody ships a default one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet


def own_secret(path: Path) -> str:
    """The secret kept in `path`, made on first use: readable by the portal's user only."""
    return _kept(path, secrets.token_urlsafe(48))


def own_fernet_key(path: Path) -> str:
    """The Fernet key kept in `path`, made on first use. Without this file encrypted fields cannot be read again."""
    return _kept(path, Fernet.generate_key().decode())


def _kept(path: Path, fresh: str) -> str:
    path.parent.mkdir(
        mode=0o700, parents=True, exist_ok=True
    )  # what is kept there is the portal's alone
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(fresh)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # of two first starts at once, one wins and both read its secret
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()
