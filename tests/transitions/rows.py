"""The transition table of Mender's Update Modules v3, as rows: what goes wrong where, which calls follow, how it ends.

As Mender's client 5.1 has it. Three things are our own. A Cleanup that fails after a good commit is a success with a warning, no
failure. One that is cut by a power loss there is made again, and then nothing has gone wrong. And SupportsRollback is asked once
more after a commit: so the portal knows whether a person can take the change back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from tests.transitions.played import AFTER, BEFORE, BROKEN
from updates.machine import Outcome

FAULTS = ("fail", "cut", "hang")
REBOOTS = ("No", "Yes", "Automatic")
DOWNLOAD = ("ProvidePayloadFileSizes", "Download")
INSTALL = (*DOWNLOAD, "ArtifactInstall")
ASKED = (*INSTALL, "NeedsArtifactReboot")
STATE_OF = {
    "ProvidePayloadFileSizes": "downloading",
    "Download": "downloading",
    "ArtifactInstall": "installing",
    "NeedsArtifactReboot": "installing",
    "ArtifactReboot": "restarting",
    "ArtifactVerifyReboot": "verifying",
    "ArtifactCommit": "committing",
    "SupportsRollback": "rolling_back",
    "ArtifactRollback": "rolling_back",
    "ArtifactRollbackReboot": "rollback_restarting",
    "ArtifactVerifyRollbackReboot": "rollback_verifying",
    "ArtifactFailure": "failing",
    "Cleanup": "cleaning",
}


@dataclass(frozen=True, slots=True)
class Row:
    """`fault` in `word` ("ArtifactInstall@1": only the first time), and what follows from it."""

    fault: str
    word: str
    calls: tuple[str, ...]
    outcome: Outcome
    rollback: str = "Yes"
    reboot: str = "Yes"
    more: dict[str, str] = field(default_factory=dict)

    @property
    def behaviour(self) -> dict[str, str]:
        said = dict(self.more)
        said[self.fault] = f"{said.get(self.fault, '')} {self.word}".strip()
        return {"rollback": self.rollback, "reboot": self.reboot, **said}

    @property
    def state(self) -> str:
        """The state whose time limit ends a call that hangs."""
        if self.more and self.word == "NeedsArtifactReboot":
            return "rolling_back"
        return STATE_OF[self.word.partition("@")[0]]

    @property
    def provides(self) -> dict[str, str]:
        return {Outcome.SUCCEEDED: AFTER, Outcome.BROKEN: BROKEN}.get(self.outcome, BEFORE)

    def __str__(self) -> str:
        more = "".join(f", {key} {words}" for key, words in self.more.items())
        return f"{self.fault} {self.word}{more}; rollback {self.rollback}, reboot {self.reboot}"


def restart(reboot: str) -> tuple[str, ...]:
    return {
        "No": (),
        "Yes": ("ArtifactReboot", "ArtifactVerifyReboot"),
        "Automatic": ("reboot", "ArtifactVerifyReboot"),
    }[reboot]


def restart_back(reboot: str) -> tuple[str, ...]:
    return {
        "No": (),
        "Yes": ("ArtifactRollbackReboot", "ArtifactVerifyRollbackReboot"),
        "Automatic": ("reboot", "ArtifactVerifyRollbackReboot"),
    }[reboot]


def good(reboot: str) -> tuple[str, ...]:
    return (*ASKED, *restart(reboot), "ArtifactCommit", "SupportsRollback", "Cleanup")


END = ("ArtifactFailure", "Cleanup")
TAKEN_BACK = ("SupportsRollback", "ArtifactRollback", "NeedsArtifactReboot")


def back(rollback: str, reboot: str) -> tuple[str, ...]:
    if rollback == "No":
        return ("SupportsRollback", *END)
    return (*TAKEN_BACK, *restart_back(reboot), *END)


def undone(rollback: str) -> Outcome:
    return Outcome.ROLLED_BACK if rollback == "Yes" else Outcome.BROKEN


def ways(fault: str, *, reboots: tuple[str, ...] = REBOOTS) -> Iterator[tuple[str, str]]:
    """With and without a rollback, with each kind of reboot; one way is enough for a call that hangs, which is one that fails."""
    if fault == "hang":
        return iter([("Yes", "Yes")])
    return product(("Yes", "No"), reboots)


def without_a_fault() -> Iterator[Row]:
    for reboot in REBOOTS:
        yield Row("fail", "nothing", good(reboot), Outcome.SUCCEEDED, reboot=reboot)


def on_the_way_there() -> Iterator[Row]:
    for fault in FAULTS:
        asked = DOWNLOAD[:1]
        yield Row(fault, "ProvidePayloadFileSizes", (*asked, "Cleanup"), Outcome.FAILED)
        yield Row(fault, "Download", (*DOWNLOAD, "Cleanup"), Outcome.FAILED)
        for way in ways(fault):
            calls = (*INSTALL, *back(*way))
            yield Row(fault, "ArtifactInstall", calls, undone(way[0]), *way)
        for way in ways(fault, reboots=("No", "Yes")):
            calls = (*ASKED, *back(*way))
            yield Row(fault, "NeedsArtifactReboot@1", calls, undone(way[0]), *way)
        for way in ways(fault, reboots=("Yes",)):
            if fault == "cut":
                yield Row(fault, "ArtifactReboot", good("Yes"), Outcome.SUCCEEDED, *way)
            else:
                calls = (*ASKED, "ArtifactReboot", *back(*way))
                yield Row(fault, "ArtifactReboot", calls, undone(way[0]), *way)
        for way in ways(fault, reboots=("Yes", "Automatic")):
            calls = (*ASKED, *restart(way[1]), *back(*way))
            yield Row(fault, "ArtifactVerifyReboot", calls, undone(way[0]), *way)
        for way in ways(fault, reboots=("No", "Yes")):
            calls = (*ASKED, *restart(way[1]), "ArtifactCommit", *back(*way))
            yield Row(fault, "ArtifactCommit", calls, undone(way[0]), *way)


def after_the_commit() -> Iterator[Row]:
    done = good("No")
    yield Row("fail", "SupportsRollback", done, Outcome.SUCCEEDED, reboot="No")
    asked_again = (*done[:-1], *done[-2:])
    yield Row("cut", "SupportsRollback@1", asked_again, Outcome.SUCCEEDED, reboot="No")
    for fault in ("fail", "hang"):
        yield Row(fault, "Cleanup", done, Outcome.SUCCEEDED, reboot="No")
    yield Row("cut", "Cleanup@1", (*done, "Cleanup"), Outcome.SUCCEEDED, reboot="No")


def on_the_way_back() -> Iterator[Row]:
    """The installation has failed; this is the second fault."""
    for row in _back_from_install():
        begun = "fail" if row.fault != "fail" else ""
        more = {begun: "ArtifactInstall"} if begun else {}
        word = row.word if begun else f"ArtifactInstall {row.word}"
        calls = (*INSTALL, *row.calls)
        yield Row(row.fault, word, calls, row.outcome, row.rollback, row.reboot, more)


def _back_from_install() -> Iterator[Row]:
    whole = (*TAKEN_BACK, *restart_back("Yes"), *END)
    asked, taken, _, reboot, verify = whole[:5]
    for fault in ("fail", "hang"):
        yield Row(fault, "SupportsRollback@1", (asked, *END), Outcome.BROKEN)
        yield Row(fault, "ArtifactRollback", (asked, taken, *END), Outcome.BROKEN)
        yield Row(fault, "NeedsArtifactReboot", (*TAKEN_BACK, *END), Outcome.BROKEN)
        yield Row(fault, "ArtifactRollbackReboot", whole, Outcome.ROLLED_BACK)
        again = (*TAKEN_BACK, reboot, verify, reboot, verify, *END)
        yield Row(fault, "ArtifactFailure", whole, Outcome.BROKEN)
        yield Row(fault, "Cleanup", whole, Outcome.ROLLED_BACK)
        yield Row(fault, "ArtifactVerifyRollbackReboot@1", again, Outcome.ROLLED_BACK)
    yield Row("cut", "SupportsRollback@1", (asked, *whole), Outcome.ROLLED_BACK)
    yield Row("cut", "ArtifactRollback@1", (asked, taken, *whole[1:]), Outcome.ROLLED_BACK)
    yield Row("cut", "NeedsArtifactReboot@1", (*TAKEN_BACK, *whole[1:]), Outcome.ROLLED_BACK)
    yield Row("cut", "ArtifactRollbackReboot@1", whole, Outcome.ROLLED_BACK)
    verified_again = (*whole[:5], verify, *END)
    yield Row("cut", "ArtifactVerifyRollbackReboot@1", verified_again, Outcome.ROLLED_BACK)
    yield Row("cut", "ArtifactFailure@1", (*whole[:-1], *END), Outcome.ROLLED_BACK)
    yield Row("cut", "Cleanup@1", (*whole, "Cleanup"), Outcome.ROLLED_BACK)
    yield Row("fail", "ArtifactFailure Cleanup", (asked, *END), Outcome.BROKEN, rollback="No")


def late_second_faults() -> Iterator[Row]:
    """The way back begins late, and does not go well either."""
    begun = (*ASKED, *restart("Yes"))
    taken = TAKEN_BACK[:2]
    words = "ArtifactVerifyReboot ArtifactRollback ArtifactFailure Cleanup"
    yield Row("fail", words, (*begun, *taken, *END), Outcome.BROKEN)
    words = "ArtifactCommit ArtifactRollbackReboot ArtifactVerifyRollbackReboot@1"
    twice = restart_back("Yes") * 2
    calls = (*begun, "ArtifactCommit", *TAKEN_BACK, *twice, *END)
    yield Row("fail", words, calls, Outcome.ROLLED_BACK)
    calls = (*begun, taken[0], taken[1], *taken[1:], TAKEN_BACK[2], *restart_back("Yes"), *END)
    more = {"fail": "ArtifactVerifyReboot"}
    yield Row("cut", "ArtifactRollback@1", calls, Outcome.ROLLED_BACK, more=more)


def endless() -> Iterator[Row]:
    """With three repeats allowed: the fourth ends it on the spot, without a Cleanup."""
    begun = (*INSTALL, *TAKEN_BACK)
    more = {"fail": "ArtifactInstall"}
    calls = (*begun, *restart_back("Yes") * 2, "ArtifactRollbackReboot")
    words = "ArtifactInstall ArtifactVerifyRollbackReboot"
    yield Row("fail", words, calls, Outcome.BROKEN)
    calls = (*begun, *restart_back("Yes"), *["ArtifactFailure"] * 4)
    yield Row("cut", "ArtifactFailure", calls, Outcome.BROKEN, more=more)
    calls = (*begun, *restart_back("Yes"), "ArtifactFailure", *["Cleanup"] * 4)
    yield Row("cut", "Cleanup", calls, Outcome.BROKEN, more=more)


def table() -> list[Row]:
    """All rows but the endless ones."""
    return [
        *without_a_fault(),
        *on_the_way_there(),
        *after_the_commit(),
        *on_the_way_back(),
        *late_second_faults(),
    ]
