"""The names that an artifact may give to itself and to what is in it.

They end up as file names on a device, in a database, on pages and in lines of text files there (artifact_info,
device_type): so each kind has a rule of its own, narrower than what the clients take.
"""

from __future__ import annotations

import re

from portal.core.labels import is_label
from portal.core.quoting import quoted
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact.limits import Limits

ROOTFS_IMAGE = "rootfs-image"
"""The payload type that clients knew before there were Update Modules: exactly one file, a file system."""

LONGEST_PAYLOAD_TYPE = 100

_FILE_NAME = re.compile(r"[A-Za-z0-9.,_-]{1,255}")
_PAYLOAD_TYPE = re.compile(r"[A-Za-z0-9._-]+")
_SCRIPT_NAME = re.compile(
    r"(?P<state>Artifact(?:Install|Reboot|Commit|Rollback|RollbackReboot|Failure))"
    r"_(?P<action>Enter|Leave|Error)_[0-9]{2}(?:_[A-Za-z0-9.,+_-]{1,200})?"
)
_STATES_WITHOUT_ERROR = {"ArtifactRollback", "ArtifactRollbackReboot", "ArtifactFailure"}


def is_file_name(name: str) -> bool:
    """Whether the clients would take this as the name of a payload file: letters, digits and `. , _ -`."""
    return bool(_FILE_NAME.fullmatch(name)) and name not in (".", "..")


def check_file_name(name: str) -> str:
    if not is_file_name(name):
        raise ArtifactRefused(
            "payload-file-name",
            f"The payload has a file {quoted(name)}: only letters, digits and . , _ - are allowed in its name.",
        )
    return name


def check_payload_type(name: str) -> str:
    """It is the file name of an Update Module, so that no path can be made of it."""
    if len(name) > LONGEST_PAYLOAD_TYPE:
        raise ArtifactRefused(
            "payload-type",
            f"The payload type has {len(name)} characters, more than the {LONGEST_PAYLOAD_TYPE} that are allowed.",
        )
    if not _PAYLOAD_TYPE.fullmatch(name) or name in (".", ".."):
        raise ArtifactRefused(
            "payload-type",
            f"The payload type {quoted(name)} is not made of letters, digits, dots, dashes and underscores.",
        )
    return name


def check_script_name(name: str) -> str:
    if not _SCRIPT_NAME.fullmatch(name):
        raise ArtifactRefused(
            "script-name",
            f"The script {quoted(name)} is no state script of an artifact: expected a name like ArtifactInstall_Enter_00_text.",
        )
    return name


def never_runs(script: str) -> bool:
    """Whether no client has a moment for this state script (already checked): some states have no Error."""
    match = _SCRIPT_NAME.fullmatch(script)
    return (
        match is not None and match["action"] == "Error" and match["state"] in _STATES_WITHOUT_ERROR
    )


def check_label(text: str, *, rule: str, what: str, longest: int) -> str:
    """A line that people read: not empty, printable, no blank at either end, and no step upwards in a path."""
    if len(text) > longest:
        raise ArtifactRefused(
            rule,
            f"{what} has {len(text)} characters, more than the {longest} that are allowed.",
        )
    if not is_label(text):
        raise ArtifactRefused(
            rule,
            f"{what} is {quoted(text)}: it must be printable, not empty, "
            "without blanks at its ends and without '..' as a part of a path.",
        )
    return text


def check_value(text: str, *, rule: str, what: str, limits: Limits) -> str:
    """The value of a provide or depend: one printable line, which may be empty."""
    if len(text) > limits.value_characters or not text.isprintable():
        raise ArtifactRefused(
            rule,
            f"{what} is {quoted(text)}: it must be printable and have at most {limits.value_characters} characters.",
        )
    return text
