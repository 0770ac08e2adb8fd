"""What an image brings to be executed by an update: scripts in `update-module.d`, and steps of the action itself.

All in the order of the bytes of their names, whatever the device's language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from portal.core.quoting import quoted
from updates.formats.module_image.listing import Kind, Listed, Listing

SCRIPTS: Final = "update-module.d"
ACTION: Final = "actions/update-module"

OUR_STEPS: Final = ("05pullimages", "50run_scriptdir", "95cleanup_images", "96cleanup_core_images")
"""What an update does by itself, under the names that modules know: they put steps between, or in place of these."""


@dataclass(frozen=True, slots=True)
class Script:
    """An entry of one of the two directories. `runs` or not; if not, `says` is a sentence about why."""

    name: str
    path: str
    runs: bool
    says: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """`theirs`: the module's own. It may have taken the place of one of ours with the same name."""

    name: str
    theirs: bool
    replaces_ours: bool = False


def update_scripts(listing: Listing) -> list[Script]:
    """The entries of `update-module.d`, each with whether it is run."""
    return _scripts(listing, SCRIPTS)


def action_scripts(listing: Listing) -> list[Script]:
    """The entries of `actions/update-module`, each with whether it is a step."""
    return _scripts(listing, ACTION)


def steps(ours: Sequence[str], theirs: Sequence[str]) -> list[Step]:
    """All steps in the order in which they run. Of two with one name, theirs is the one that runs."""
    names = sorted({*ours, *theirs}, key=str.encode)
    return [
        Step(name, theirs=name in theirs, replaces_ours=name in theirs and name in ours)
        for name in names
    ]


def _scripts(listing: Listing, folder: str) -> list[Script]:
    found = []
    for name, listed in listing.below(folder):
        path = f"{folder}/{name}"
        reason = _reason_not_to_run(name, listed, listing=listing, path=path)
        says = f"{quoted(path)} is not run: {reason}." if reason else ""
        found.append(Script(name, path, runs=not reason, says=says))
    return found


def _reason_not_to_run(name: str, listed: Listed, *, listing: Listing, path: str) -> str:
    if name.startswith("."):
        return "its name begins with a dot"
    if listed.kind is Kind.LINK:
        resolved = listing.resolved(path)
        if resolved is None:
            return "the link leads to nothing that the image has"
        listed = resolved[1]
    if listed.kind is Kind.DIRECTORY:
        return "it is a directory"
    return "" if listed.executable else "it is not executable"
