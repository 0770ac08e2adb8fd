"""The transition table of Mender's Update Modules v3, as rows: what goes wrong where, which calls follow, how it ends.

As Mender's client 5.1 has it. Four things are our own. A Cleanup that fails after a good commit is a success with a warning, no
failure. One that is cut by a power loss there is made again, and then nothing has gone wrong. And SupportsRollback is asked once
more after a commit: so the portal knows whether a person can take the change back. And what is given up before anything was
changed has failed, and leaves nothing in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
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
        if self.word == "SupportsRollback" and not self.more:
            return "committed"
        return STATE_OF[self.word.partition("@")[0]]

    @property
    def fails_in(self) -> str:
        """The state of the first fault."""
        first = (*self.more.values(), *self.word.split())[0]
        return STATE_OF[first.partition("@")[0]]

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


def ways(*reboots: str) -> Iterator[tuple[str, str]]:
    """With and without a rollback, with each of these kinds of reboot."""
    return product(("Yes", "No"), reboots or REBOOTS)


def without_a_fault() -> Iterator[Row]:
    for way in ways():
        yield Row("fail", "nothing", good(way[1]), Outcome.SUCCEEDED, *way)


def on_the_way_there() -> Iterator[Row]:
    for fault in FAULTS:
        asked = DOWNLOAD[:1]
        yield Row(fault, "ProvidePayloadFileSizes", (*asked, "Cleanup"), Outcome.FAILED)
        yield Row(fault, "Download", (*DOWNLOAD, "Cleanup"), Outcome.FAILED)
        for way in ways():
            calls = (*INSTALL, *back(*way))
            yield Row(fault, "ArtifactInstall", calls, undone(way[0]), *way)
            calls = (*ASKED, *back(*way))
            yield Row(fault, "NeedsArtifactReboot@1", calls, undone(way[0]), *way)
            calls = (*ASKED, *restart(way[1]), "ArtifactCommit", *back(*way))
            yield Row(fault, "ArtifactCommit", calls, undone(way[0]), *way)
        for way in ways("Yes"):
            if fault == "cut":
                yield Row(fault, "ArtifactReboot", good("Yes"), Outcome.SUCCEEDED, *way)
            else:
                calls = (*ASKED, "ArtifactReboot", *back(*way))
                yield Row(fault, "ArtifactReboot", calls, undone(way[0]), *way)
        for way in ways("Yes", "Automatic"):
            calls = (*ASKED, *restart(way[1]), *back(*way))
            yield Row(fault, "ArtifactVerifyReboot", calls, undone(way[0]), *way)


def after_the_commit() -> Iterator[Row]:
    done = good("No")
    asked_again = (*done[:-1], *done[-2:])
    for rollback in ("Yes", "No"):
        way = (rollback, "No")
        for fault in ("fail", "hang"):
            yield Row(fault, "SupportsRollback", done, Outcome.SUCCEEDED, *way)
            yield Row(fault, "Cleanup", done, Outcome.SUCCEEDED, *way)
        yield Row("cut", "SupportsRollback@1", asked_again, Outcome.SUCCEEDED, *way)
        yield Row("cut", "Cleanup@1", (*done, "Cleanup"), Outcome.SUCCEEDED, *way)


def on_the_way_back() -> Iterator[Row]:
    """The installation has failed; this is the second fault."""
    for row in (*_back_with_rollback(), *_back_without_rollback()):
        begun = "fail" if row.fault != "fail" else ""
        more = {begun: "ArtifactInstall"} if begun else {}
        word = row.word if begun else f"ArtifactInstall {row.word}"
        calls = (*INSTALL, *row.calls)
        yield Row(row.fault, word, calls, row.outcome, row.rollback, row.reboot, more)


def _back_with_rollback() -> Iterator[Row]:
    asked, taken, kind = TAKEN_BACK
    for reboot in REBOOTS:
        way = ("Yes", reboot)
        again = restart_back(reboot)
        whole = (*TAKEN_BACK, *again, *END)
        for fault in ("fail", "hang"):
            yield Row(fault, "SupportsRollback@1", (asked, *END), Outcome.BROKEN, *way)
            yield Row(fault, "ArtifactRollback", (asked, taken, *END), Outcome.BROKEN, *way)
            yield Row(fault, kind, (*TAKEN_BACK, *END), Outcome.BROKEN, *way)
            yield Row(fault, "ArtifactFailure", whole, Outcome.BROKEN, *way)
            yield Row(fault, "Cleanup", whole, Outcome.ROLLED_BACK, *way)
            if reboot == "Yes":
                yield Row(fault, "ArtifactRollbackReboot", whole, Outcome.ROLLED_BACK, *way)
            if reboot != "No":
                calls = (*TAKEN_BACK, *again, *again, *END)
                word = "ArtifactVerifyRollbackReboot@1"
                yield Row(fault, word, calls, Outcome.ROLLED_BACK, *way)
        yield Row("cut", "SupportsRollback@1", (asked, *whole), Outcome.ROLLED_BACK, *way)
        calls = (asked, taken, *whole[1:])
        yield Row("cut", "ArtifactRollback@1", calls, Outcome.ROLLED_BACK, *way)
        calls = (*TAKEN_BACK, *whole[1:])
        yield Row("cut", f"{kind}@1", calls, Outcome.ROLLED_BACK, *way)
        calls = (*whole[:-1], *END)
        yield Row("cut", "ArtifactFailure@1", calls, Outcome.ROLLED_BACK, *way)
        yield Row("cut", "Cleanup@1", (*whole, "Cleanup"), Outcome.ROLLED_BACK, *way)
        if reboot == "Yes":
            yield Row("cut", "ArtifactRollbackReboot@1", whole, Outcome.ROLLED_BACK, *way)
        if reboot != "No":
            word = "ArtifactVerifyRollbackReboot"
            calls = (*TAKEN_BACK, *again, word, *END)
            yield Row("cut", f"{word}@1", calls, Outcome.ROLLED_BACK, *way)


def _back_without_rollback() -> Iterator[Row]:
    whole, way = ("SupportsRollback", *END), ("No", "Yes")
    for fault in ("fail", "hang"):
        for word in ("SupportsRollback@1", "ArtifactFailure", "Cleanup"):
            yield Row(fault, word, whole, Outcome.BROKEN, *way)
    calls = ("SupportsRollback", *whole)
    yield Row("cut", "SupportsRollback@1", calls, Outcome.BROKEN, *way)
    yield Row("cut", "ArtifactFailure@1", (*whole[:-1], *END), Outcome.BROKEN, *way)
    yield Row("cut", "Cleanup@1", (*whole, "Cleanup"), Outcome.BROKEN, *way)
    yield Row("fail", "ArtifactFailure Cleanup", whole, Outcome.BROKEN, *way)


def late_second_faults() -> Iterator[Row]:
    """The way back begins late, and does not go well either."""
    begun = (*ASKED, *restart("Yes"))
    taken = TAKEN_BACK[:2]
    words = "ArtifactVerifyReboot ArtifactRollback ArtifactFailure Cleanup"
    yield Row("fail", words, (*begun, *taken, *END), Outcome.BROKEN)
    calls = (*begun, "SupportsRollback", *END)
    yield Row("fail", words, calls, Outcome.BROKEN, rollback="No")
    words = "ArtifactCommit ArtifactRollbackReboot ArtifactVerifyRollbackReboot@1"
    twice = restart_back("Yes") * 2
    calls = (*begun, "ArtifactCommit", *TAKEN_BACK, *twice, *END)
    yield Row("fail", words, calls, Outcome.ROLLED_BACK)
    calls = (*begun, taken[0], taken[1], *taken[1:], TAKEN_BACK[2], *restart_back("Yes"), *END)
    more = {"fail": "ArtifactVerifyReboot"}
    yield Row("cut", "ArtifactRollback@1", calls, Outcome.ROLLED_BACK, more=more)
    calls = (*ASKED, *restart("Automatic"), *TAKEN_BACK, *restart_back("Automatic") * 2, *END)
    word = "ArtifactVerifyRollbackReboot@1"
    yield Row("hang", word, calls, Outcome.ROLLED_BACK, reboot="Automatic", more=more)


def endless(repeats: int) -> Iterator[Row]:
    """With `repeats` repeats allowed: one more ends it on the spot, without a Cleanup."""
    times = repeats + 1
    asked, taken, kind = TAKEN_BACK
    reboot, verify = restart_back("Yes")
    whole = (*TAKEN_BACK, reboot, verify, *END)
    rows = {
        "SupportsRollback": [asked] * times,
        "ArtifactRollback": [asked, *[taken] * times],
        "NeedsArtifactReboot": [asked, *[taken, kind] * times],
        "ArtifactVerifyRollbackReboot": [*TAKEN_BACK, reboot, *[verify] * times],
        "ArtifactFailure": [*whole[:-2], *["ArtifactFailure"] * times],
        "Cleanup": [*whole[:-1], *["Cleanup"] * times],
    }
    failed = {"fail": "ArtifactInstall"}
    for word, calls in rows.items():
        yield Row("cut", word, (*INSTALL, *calls), Outcome.BROKEN, more=failed)
    calls = [asked, *["ArtifactFailure"] * times]
    way = ("No", "Yes")
    yield Row("cut", "ArtifactFailure", (*INSTALL, *calls), Outcome.BROKEN, *way, more=failed)
    for kind_of_reboot in ("Yes", "Automatic"):
        pair = restart_back(kind_of_reboot)
        calls = [pair[number % 2] for number in range(repeats + 2)]  # each round begins two anew
        words = "ArtifactInstall ArtifactVerifyRollbackReboot"
        way = ("Yes", kind_of_reboot)
        yield Row("fail", words, (*INSTALL, *TAKEN_BACK, *calls), Outcome.BROKEN, *way)
    calls = ["Cleanup"] * times
    yield Row("cut", "Cleanup", (*good("No")[:-1], *calls), Outcome.BROKEN, reboot="No")
    failed = {"fail": "Download"}
    yield Row("cut", "Cleanup", (*DOWNLOAD, *calls), Outcome.FAILED, more=failed)


def on_a_full_disk() -> Iterator[Row]:
    """What fails because it has filled the disk leads where any failure leads: each state of the way back has room of its own.

    Only a call that did well is followed by one for which there is no room. Not here: reboots of ours, as they may empty a
    small disk, and what makes the device reboot back once more, when that state's room is taken.
    """
    for row in (*on_the_way_there(), *after_the_commit(), *on_the_way_back()):
        is_done_over = "ArtifactVerifyRollbackReboot" in row.word
        if row.fault == "fail" and row.reboot != "Automatic" and not is_done_over:
            yield replace(row, fault="full")
    for way in ways("No", "Yes"):
        yield Row("flood", "ArtifactInstall", (*ASKED, *back(*way)), undone(way[0]), *way)
    for reboot in ("No", "Yes"):
        way, more = ("Yes", reboot), {"fail": "ArtifactInstall"}
        for word in ("ArtifactRollback", "ArtifactFailure"):
            calls = (*INSTALL, *back(*way))
            yield Row("flood", word, calls, Outcome.ROLLED_BACK, *way, more=more)


def table() -> list[Row]:
    """All rows but the endless ones, and those of a full disk."""
    return [
        *without_a_fault(),
        *on_the_way_there(),
        *after_the_commit(),
        *on_the_way_back(),
        *late_second_faults(),
    ]
