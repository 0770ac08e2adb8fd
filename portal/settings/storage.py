"""Where artifacts and Update Modules are kept: a folder, or a bucket of anything that speaks S3."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from portal.settings.environment import VAR_DIR, env

BUCKET_WORDS: Final = {"endpoint", "region", "addressing"}
ADDRESSING: Final = ("auto", "path", "virtual")


def storage_of(url: str, *, var: Path) -> dict[str, Any]:
    """The storage that `url` names, as Django's STORAGES has it; none: a folder in `var`. ImproperlyConfigured if it names none.

    `file:///srv/fleetwright`, or `s3://bucket/prefix?endpoint=https://…&region=…&addressing=path`, of which the bucket is enough.
    Keys are not in it: they come from where every S3 client looks for them, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY first.
    """
    if not url:
        return _folder(var / "storage")
    place = urlsplit(url)
    if place.scheme == "file" and place.path.startswith("/") and not (place.netloc or place.query):
        return _folder(Path(unquote(place.path)))
    if place.scheme == "s3" and place.netloc and "@" not in place.netloc:
        return _bucket(place)
    raise ImproperlyConfigured(
        "STORAGE_URL is file:///a/folder or s3://bucket/prefix?endpoint=https://…, without keys in it."
    )


def incoming(var: Path) -> str:
    """The folder of uploads on their way, which is there now.

    Beside the storage, not in /tmp: that may be memory, and from here a file gets to its place by a new name.
    """
    folder = var / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def _folder(path: Path) -> dict[str, Any]:
    return {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(path), "base_url": None},
    }


def _bucket(place: SplitResult) -> dict[str, Any]:
    words = {word: values[-1] for word, values in parse_qs(place.query).items()}
    if unknown := words.keys() - BUCKET_WORDS:
        raise ImproperlyConfigured(
            f"STORAGE_URL knows {', '.join(sorted(BUCKET_WORDS))}, not {', '.join(sorted(unknown))}."
        )
    endpoint = words.get("endpoint")
    if endpoint is not None and urlsplit(endpoint).scheme not in ("http", "https"):
        raise ImproperlyConfigured("The endpoint in STORAGE_URL is an address with http or https.")
    addressing = words.get("addressing", "auto")
    if addressing not in ADDRESSING:
        raise ImproperlyConfigured(
            f"The addressing in STORAGE_URL is one of {', '.join(ADDRESSING)}."
        )
    return {
        "BACKEND": "portal.core.bucket.BucketStorage",
        "OPTIONS": {
            "bucket_name": place.netloc,
            "location": unquote(place.path).strip("/"),
            "endpoint_url": endpoint,
            "region_name": words.get("region"),
            "addressing": addressing,
        },
    }


STORAGES = {
    "default": storage_of(env("STORAGE_URL", default=""), var=VAR_DIR),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
FILE_UPLOAD_TEMP_DIR = incoming(VAR_DIR)

WEB_PROCESSES = max(1, env.int("WEB_PROCESSES", default=1))
"""Of the web server. One uses one core: more are for fleets of pull devices that keep it busy."""
WEB_THREADS = env.int("WEB_THREADS", default=32)
"""Requests that each process of the web server works on at once. They come and go as they are needed."""
TRANSFERS_AT_ONCE = max(1, WEB_THREADS * 3 // 4)
"""How many of those threads may be busy with a large upload or download; the others are for pages."""
TRANSFERS_PROMISED = max(1, TRANSFERS_AT_ONCE * (3 if WEB_PROCESSES == 1 else 2) // 4)
"""How many of these may be promised to devices that pull. With more processes fewer, since a device may come to another one."""
TRANSFERS_WAITING = (WEB_THREADS - TRANSFERS_AT_ONCE) // 2
"""How many of the other threads may be busy waiting until a device's download can begin."""
