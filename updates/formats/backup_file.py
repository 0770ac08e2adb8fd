"""Backups of containers' data: `upgrade-backup-YYYYMMDD_HHMMSS.tar.gz` (UTC), and what the first member of one says of it.

    .fleetwright/backup.json      what it is of, and when; which volume lies below which prefix, which dump in which member
    ./…  or  VOLUME/…             the contents of the only volume; of several, each below its own name. A folder of the device is
                                  told as a volume by its path, with %2F for each /
    .fleetwright/dumps/NUMBER     what databases beside the containers wrote

So the contents of one volume are unpacked by hand with `cd DIRECTORY && tar xzf FILE`. Beside each file lies FILE.sha256, as
`sha256sum` writes it. Names at the top of a volume that begin with `.upgrade-`, and `.fleetwright`, are ours: they are neither
copied nor put back.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, Self
from urllib.parse import quote

from portal.core.strict_json import decode_json_text, json_object
from updates.errors import BackupRefused
from updates.formats.tar.writer import member_header, padding

OURS: Final = ".fleetwright"
MANIFEST: Final = f"{OURS}/backup.json"
SUM: Final = ".sha256"
HEAD_BYTES: Final = 64 * 1024
"""In which the first member lies."""
_NAME: Final = re.compile(r"upgrade-backup-(\d{8}_\d{6})\.tar\.gz", re.ASCII)
_TIME: Final = "%Y%m%d_%H%M%S"
_VOLUME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_PRIVATE: Final = 0o600
_DEPTH: Final = 4
_LONGEST_NAME: Final = 255


def backup_name(moment: datetime) -> str:
    """What a backup is named that is taken at `moment`."""
    return f"upgrade-backup-{moment.astimezone(UTC).strftime(_TIME)}.tar.gz"


def backup_moment(name: str) -> datetime | None:
    """When the backup of that name was taken; None for a name that no backup has."""
    found = _NAME.fullmatch(name)
    try:
        return datetime.strptime(found[1], _TIME).replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def is_ours(name: str) -> bool:
    """Whether something of that name at the top of a volume is no data, but the portal's own."""
    return name == OURS or name.startswith(".upgrade-")


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory that is written into the head of a backup, because not all below it is copied."""

    name: str
    mode: int
    uid: int
    gid: int
    mtime: int

    def header(self) -> bytes:
        info = tarfile.TarInfo(self.name)
        info.type = tarfile.DIRTYPE
        info.mode, info.uid, info.gid, info.mtime = self.mode, self.uid, self.gid, self.mtime
        return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `taken_at` is ISO 8601; `volumes`: below which prefix each one is; `dumps`: of what.

    The prefix of the only volume is `.`. The dump of that number in the list is the member of that number.
    """

    instance: str
    version: str
    digest: str
    is_live: bool
    taken_at: str
    volumes: dict[str, str]
    dumps: list[str]

    @classmethod
    def of_head(cls, head: bytes) -> Self:
        """What the beginning of an unpacked backup says. BackupRefused when it is not the beginning of one."""
        try:
            with tarfile.open(fileobj=io.BytesIO(head), mode="r:") as archive:
                member = archive.next()
                if member is None or member.name != MANIFEST or not member.isreg():
                    raise BackupRefused("It does not begin with what a backup says of itself.")
                content = archive.extractfile(member)
                text = content.read(HEAD_BYTES) if content else b""
        except (tarfile.TarError, OSError):
            raise BackupRefused("It is not a backup: it cannot be read as a tar.") from None
        return cls._parsed(text)

    @classmethod
    def _parsed(cls, content: bytes) -> Self:
        where, text = "what the backup says of itself", decode_json_text
        found = json_object(
            text(content, where="the backup", refused=_refused),
            where=where,
            depth=_DEPTH,
            refused=_refused,
        ).check_open_keys(
            required=("instance", "version", "digest", "is_live", "taken_at", "volumes", "dumps"),
            optional=(),
        )
        volumes = found.child("volumes")
        manifest = cls(
            instance=found.text("instance"),
            version=found.text("version"),
            digest=found.text("digest"),
            is_live=found.value("is_live") is True,
            taken_at=found.text("taken_at"),
            volumes={name: volumes.text(name) for name, _ in volumes.items()},
            dumps=list(found.texts("dumps")),
        )
        manifest._check()
        return manifest

    def _check(self) -> None:
        if self.volumes != prefixes(list(self.volumes)):
            raise BackupRefused("It says of its volumes that they are where none can be.")
        try:
            datetime.fromisoformat(self.taken_at)
        except ValueError:
            raise BackupRefused("It does not say when it was taken.") from None

    def head(self, directories: Iterable[Directory]) -> bytes:
        """What a backup begins with: what it says of itself, then these directories."""
        content = json.dumps(asdict(self), indent=1).encode()
        if len(content) > HEAD_BYTES // 2:
            raise BackupRefused("There are too many volumes for one backup.")
        member = member_header(MANIFEST, size=len(content), mode=_PRIVATE) + content
        return member + padding(len(content)) + b"".join(one.header() for one in directories)


def prefixes(volumes: list[str]) -> dict[str, str]:
    """Below which prefix of a backup the contents of each of these volumes are. BackupRefused for a name that none has."""
    found = {name: _prefix(name) for name in volumes}
    return dict.fromkeys(volumes, ".") if len(volumes) == 1 else found


def _prefix(name: str) -> str:
    if name.startswith("/"):
        prefix = quote(name, safe="", errors="surrogateescape")
        if len(prefix) > _LONGEST_NAME:
            raise BackupRefused(f"The path {name} is too long for a backup.")
        return prefix
    if not _VOLUME.fullmatch(name):
        raise BackupRefused(f"{name!r} cannot be the name of a volume.")
    return name


def dump_member(number: int) -> str:
    """Under which name the dump of that number is in a backup."""
    return f"{OURS}/dumps/{number:03d}"


def dump_header(number: int, *, size: int) -> bytes:
    """What stands before a dump of `size` bytes."""
    return member_header(dump_member(number), size=size, mode=_PRIVATE)


def _refused(_rule: str, sentence: str) -> BackupRefused:
    return BackupRefused(sentence)
