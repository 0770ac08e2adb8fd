"""The storages that artifacts are fetched from."""

import pytest

from portal.core import stored
from portal.core.transfers import transfers
from tests.storage.conftest import bucket, in_bucket, keys, s3_server, storage, use

__all__ = ["bucket", "in_bucket", "keys", "s3_server", "storage", "use"]


@pytest.fixture(autouse=True)
def nobody_was_promised_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests offer what nobody fetches, or cannot; none keeps places or files from another."""
    monkeypatch.setattr(transfers, "_promises", {})
    monkeypatch.setattr(stored, "_failed", {})
