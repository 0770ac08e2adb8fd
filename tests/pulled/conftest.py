"""The storages that artifacts are fetched from."""

from tests.storage.conftest import bucket, in_bucket, keys, s3_server, storage, use

__all__ = ["bucket", "in_bucket", "keys", "s3_server", "storage", "use"]
