"""The trigger: a file that asks for an upgrade, written by the portal or by hand, and taken exactly once."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from uuid import NAMESPACE_URL, UUID, uuid5

import structlog

from updates.watchdog.durable import move, read_whole, remove, write_whole
from updates.watchdog.folder import Folder

log = structlog.get_logger(__name__)

MOST_BYTES: Final = 256 * 1024
HALF_WRITTEN_SECONDS: Final = 30.0
"""So old must a trigger be that is no JSON to be taken for garbage: a shell may still be writing it."""
BY_HAND: Final = "somebody who wrote the trigger by hand"
NO_REASON: Final = "A trigger was written by hand."
LONGEST_REASON: Final = 2000

_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)


class BadTrigger(ValueError):
    """Why a trigger is none, in a sentence."""


class HalfWritten(BadTrigger):
    """It is no JSON: somebody may still be writing it."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """What was asked for. `plan` is None, and `sequence` 0, for one that was written by hand."""

    upgrade: str
    version: str
    backup: bool = True
    force: bool = False
    sequence: int = 0
    requested_by: str = BY_HAND
    reason: str = NO_REASON
    from_version: str = ""
    plan: dict[str, Any] | None = field(default=None, repr=False)

    def as_bytes(self) -> bytes:
        """As `read` reads it: what the portal writes."""
        said = {
            "upgradeId": self.upgrade,
            "version": self.version,
            "backup": self.backup,
            "force": self.force,
            "sequence": self.sequence,
            "requestedBy": self.requested_by,
            "reason": self.reason,
            "fromVersion": self.from_version,
            "plan": self.plan,
        }
        return json.dumps(said, indent=2).encode()

    @classmethod
    def read(cls, content: bytes, *, otherwise: str) -> Self:
        """The trigger; `otherwise` is its upgrade's id if it names none. BadTrigger."""
        said = _object(content)
        plan = said.get("plan")
        if plan is not None and not isinstance(plan, dict):
            raise BadTrigger("Its plan is not an object.")
        sequence = said.get("sequence", 0)
        if type(sequence) is not int or not 0 <= sequence < 2**53 or (plan and not sequence):
            raise BadTrigger("Its sequence is not a number from 1 on.")
        return cls(
            upgrade=_id(said.get("upgradeId", otherwise)),
            version=checked_version(said.get("version", "latest")),
            backup=_flag(said, "backup", default=True),
            force=_flag(said, "force", default=False),
            sequence=sequence,
            requested_by=_text(said, "requestedBy", longest=150, default=BY_HAND),
            reason=_text(said, "reason", longest=LONGEST_REASON, default=NO_REASON),
            from_version=_text(said, "fromVersion", longest=300, default=""),
            plan=plan,
        )


class Inbox:
    """The one place of triggers. What is taken stays in `taken` until somebody says that it is `done`."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def take(self) -> Trigger | None:
        """The trigger that waits, ours alone from now on; None when there is none, or one that is still being written.

        Garbage is gone afterwards, and why it was refused is there to be read.
        """
        if not self._folder.taken.exists() and not self._fetch():
            return None
        try:
            return self._read(self._folder.taken)
        except (OSError, ValueError) as error:
            self.refuse(str(error))
            return None

    def taken_upgrade(self) -> str:
        """The id of the upgrade whose trigger was taken, and is not done; empty where there is none."""
        try:
            return self._read(self._folder.taken).upgrade
        except (OSError, ValueError):
            return ""

    def done(self) -> None:
        """The trigger that was taken became an upgrade: it is gone."""
        remove(self._folder.taken)

    def refuse(self, sentence: str, *, upgrade: str = "") -> None:
        """The trigger that was taken is gone, and why stands where the portal finds it."""
        log.error("trigger refused", upgrade=upgrade, why=sentence)
        said = {"at": time.time(), "upgrade": upgrade, "says": sentence[:1000]}
        write_whole(self._folder.refused, json.dumps(said).encode())
        self.done()

    def _fetch(self) -> bool:
        """Whether a trigger was moved out of everybody's reach."""
        trigger = self._folder.trigger
        try:
            age = time.time() - trigger.lstat().st_mtime
        except FileNotFoundError:
            return False
        try:
            self._read(trigger)
        except HalfWritten:
            if 0 <= age < HALF_WRITTEN_SECONDS:
                return False
        except (OSError, ValueError) as error:
            log.info("a trigger that is none", why=str(error))
        try:
            if trigger.is_dir() and not trigger.is_symlink():
                trigger.rename(self._folder.journals / f"no-trigger-{time.time_ns()}")
                self.refuse(f"{trigger} is a folder.")
                return False
            move(trigger, self._folder.taken)
        except FileNotFoundError:
            return False
        return True

    def _read(self, path: Path) -> Trigger:
        content = read_whole(path, most_bytes=MOST_BYTES)
        if content is None:
            raise BadTrigger("It is gone.")
        # The same id after a crash between taking and recording: the file keeps its time and its content.
        word = f"{path.stat().st_mtime_ns}-{hashlib.sha256(content).hexdigest()}"
        return Trigger.read(content, otherwise=str(uuid5(NAMESPACE_URL, f"fleetwright:{word}")))


def _object(content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise HalfWritten(f"The trigger is not JSON: {error}.") from None
    if not isinstance(said, dict):
        raise BadTrigger('The trigger is not an object such as {"version": "latest"}.')
    try:
        json.dumps(said, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BadTrigger("The trigger holds characters that nobody can write.") from None
    return said


def _id(text: object) -> str:
    try:
        return str(UUID(str(text)))
    except ValueError:
        raise BadTrigger("Its upgradeId is not a UUID.") from None


def checked_version(text: object) -> str:
    """The version, unchanged. BadTrigger if it is none."""
    if not isinstance(text, str) or not _TAG.fullmatch(text):
        raise BadTrigger("The version is not a tag such as latest or 2.14.0.")
    return text


def _flag(said: dict[str, Any], name: str, *, default: bool) -> bool:
    value = said.get(name, default)
    if not isinstance(value, bool):
        raise BadTrigger(f"Its {name} is neither true nor false.")
    return value


def _text(said: dict[str, Any], name: str, *, longest: int, default: str) -> str:
    value = said.get(name, default)
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        raise BadTrigger(f"Its {name} is not a text of at most {longest} characters.")
    return value or default
