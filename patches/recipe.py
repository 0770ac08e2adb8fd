"""How a hot patch is carried out, state by state: the recipe of the kind `patch`. Pure: it knows nodes and a memory.

CHECKING            every node is asked what would become of each file; the version must be the patch's
BACKING_UP          every node gives the files that will be replaced, and they are kept: the anti-patch
INSTALLING          every node applies, all at once; 1-3 on any of them is a failure
VERIFYING           every node is asked what is loaded now
ROLLING_BACK        every node gets back what was kept of it, and is asked again: what still runs the patch then needs a person

The way back from a patch is this recipe too, in the mode RESTORE: what is applied is what an earlier upgrade kept of each node.
A node that was asked to apply and died may have done it or not: nothing is believed that was not asked for afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from devices.drivers.nodes import (
    REFUSED,
    FileResult,
    Kept,
    Loaded,
    NodeReport,
    PatchFile,
    Status,
    Trouble,
    Turn,
)
from devices.errors import StaleHolder
from patches.asking import Member, ask_all
from patches.fit import version_in_force, why_not_a_part, why_not_version
from updates.errors import StepFailed
from updates.machine import Event, State
from updates.plan import Mode, PatchPlan
from updates.runner import Context, Step

APPLY: Final = "apply"
BACK: Final = "back"
LEFT_OUT: Final = "left_out"
"""The fact {node: [path, ...], or null for the whole node}: what the check refused, where that may be left out."""
AWAY_PAUSE_SECONDS: Final = 2.0
TAKEN: Final = frozenset({Status.OK, Status.NOT_LOADED, Status.NOT_CHANGED})

Files = Mapping[int, list[PatchFile]]
"""What each node is to get, by its id. A node with no file takes no part."""


class Memory(Protocol):
    """What outlives a worker: kept files, and what the nodes answered."""

    def keep(self, node: int, files: Sequence[Kept]) -> None:
        """`files` are kept for `node`, for as long as this upgrade can be taken back. What was kept before stays."""
        ...

    def kept(self, node: int, *, upgrade: str) -> list[Kept]:
        """What `upgrade` kept of `node`; nothing if the node took no part."""
        ...

    def record(self, node: int, step: str, report: NodeReport) -> None:
        """The report stands in the history under `step`: APPLY or BACK; of each the newest counts."""
        ...

    def recorded(self, node: int, step: str) -> list[FileResult]:
        """The results of the recorded report."""
        ...


class PatchRecipe:
    """One patch, or the way back from one, on the nodes of one instance.

    A node that must get its files back may be away for `away_seconds`: it may just be restarting.
    """

    def __init__(
        self,
        plan: PatchPlan,
        *,
        members: Sequence[Member],
        read_files: Callable[[], list[PatchFile]],
        memory: Memory,
        away_seconds: float,
    ) -> None:
        self._plan = plan
        self._members = members
        self._read_files = read_files
        self._memory = memory
        self._away_seconds = away_seconds
        self._steps: Mapping[State, Step] = {
            State.CHECKING: self._check,
            State.BACKING_UP: self._keep,
            State.INSTALLING: self._apply,
            State.VERIFYING: self._verify,
            State.ROLLING_BACK: self._go_back,
        }

    def step(self, state: State) -> Step | None:
        return self._steps.get(state)

    def _check(self, context: Context) -> Event:
        files = self._all_files()
        reports: dict[int, NodeReport] = {}
        left_out: dict[str, list[str] | None] = {}
        says: list[str] = []
        for member, report in self._ask(
            files, lambda one: one.runtime.check(files[one.id]), context
        ):
            reports[member.id] = report
            if report.status in REFUSED:
                context.journal.note(_summary(member, report), call=member.name)
                left_out[str(member.id)] = _refused_paths(report)
                says.append(_summary(member, report))
        self._require_fit(reports)
        if left_out and not self._plan.leaves_out:
            count = f"{len(left_out)} of {len(reports)} nodes cannot take it as a whole"
            raise StepFailed(f"{count}. {' '.join(sorted(says)[:5])}")
        context.journal.remember(LEFT_OUT, left_out)
        if not any(self._files(context).values()):
            raise StepFailed("Nothing is left of it once all is left out that the check refuses.")
        return Event.ALREADY_THERE if self._is_there(reports, context) else Event.DONE

    def _is_there(self, reports: Mapping[int, NodeReport], context: Context) -> bool:
        """Whether every node runs all of it, and has it on its disk: what only runs would be lost by a restart."""
        results = [result for report in reports.values() for result in report.results]
        if not results or any(result.status is not Status.NOT_CHANGED for result in results):
            return False
        wanted = {node: {one.path: one.after for one in reports[node].results} for node in reports}
        members = [one for one in self._members if one.id in wanted]
        ask = ask_all(
            members, lambda one: one.runtime.inspect(list(wanted[one.id])), tick=context.tick
        )
        return all(
            report.is_reachable
            and all(row.disk_version == wanted[member.id].get(row.path) for row in report.loaded)
            for member, report in ask
        )

    def _require_fit(self, reports: Mapping[int, NodeReport]) -> None:
        found, says = version_in_force(reports.values(), recorded=self._plan.version_recorded)
        refusal = why_not_version(wanted=self._plan.version, found=found, says=says)
        if self._plan.mode is Mode.INSTALL:
            whole = (
                why_not_a_part(reports[one.id], inspect=one.runtime.inspect)
                for one in self._members
                if one.id in reports
            )
            refusal = refusal or next((says for says in whole if says), "")
        if refusal:
            raise StepFailed(refusal)

    def _keep(self, context: Context) -> Event:
        files = self._files(context)
        paths = {node: [file.path for file in some] for node, some in files.items()}
        members = [one for one in self._members if paths[one.id]]
        ask = ask_all(members, lambda one: one.runtime.keep(paths[one.id]), tick=context.tick)
        for member, keeping in ask:
            if len(keeping.files) == len(paths[member.id]):
                self._memory.keep(member.id, keeping.files)
                continue
            says = f"{member.name} could not give what is there now: {keeping.report.detail}"
            # A way back must be possible from a state that cannot be kept, such as one that waits for a restart.
            if self._plan.mode is Mode.INSTALL or not keeping.report.is_reachable:
                raise StepFailed(says)
            context.journal.note(says, call=member.name)
        return Event.DONE

    def _apply(self, context: Context) -> Event:
        files, turn = self._files(context), self._turn(context)
        bad = []
        ask = self._ask(files, lambda one: one.runtime.apply(files[one.id], turn=turn), context)
        for member, report in ask:
            settled = self._settled(member, report)
            self._memory.record(member.id, APPLY, settled)
            context.journal.note(_summary(member, settled), call=member.name)
            if settled.status in REFUSED:
                bad.append(member.name)
        if bad:
            raise StepFailed(f"It went wrong on {', '.join(sorted(bad))}, so all nodes go back.")
        return Event.DONE

    def _verify(self, context: Context) -> Event:
        expected = {
            member.id: {
                result.path: result.after
                for result in self._memory.recorded(member.id, APPLY)
                if result.status in TAKEN
            }
            for member in self._members
        }
        self._require_loaded(expected, context)
        return Event.DONE

    def _go_back(self, context: Context) -> Event:
        files, turn = dict(self._kept_files()), self._turn(context, is_back=True)
        until = time.monotonic() + self._away_seconds
        given = self._files(context)
        bad = [one.name for one in self._members if given[one.id] and not files[one.id]]
        while any(files.values()):
            asked = dict(files)
            ask = self._ask(asked, lambda one: one.runtime.apply(asked[one.id], turn=turn), context)  # noqa: B023 - asked at once
            for member, report in ask:
                self._memory.record(member.id, BACK, report)
                context.journal.note(_summary(member, report), call=member.name)
                if report.is_reachable:
                    files[member.id] = []
                    bad += [member.name] if report.status in REFUSED else []
            if time.monotonic() > until:
                bad += [one.name for one in self._members if files[one.id]]
                break
            if any(files.values()):
                _pause(context, AWAY_PAUSE_SECONDS)
        if bad:
            raise StepFailed(f"{', '.join(sorted(bad))} did not take back what was there before.")
        before = {
            member.id: {kept.path: kept.version for kept in self._kept(member)}
            for member in self._members
        }
        self._require_loaded(before, context)
        return Event.DONE

    def _require_loaded(self, expected: Mapping[int, Mapping[str, str]], context: Context) -> None:
        wrong = []
        members = [one for one in self._members if expected[one.id]]
        ask = ask_all(
            members, lambda one: one.runtime.inspect(list(expected[one.id])), tick=context.tick
        )
        for member, report in ask:
            if not report.is_reachable:
                wrong.append(f"{member.name} does not answer: {report.detail}")
            wrong += [
                f"{member.name} runs another {row.name} than it should"
                for row in report.loaded
                if not _is_as(row, expected[member.id].get(row.path, ""))
            ]
        if wrong:
            raise StepFailed(f"{'; '.join(sorted(wrong)[:5])}.")

    def _ask(
        self, files: Files, ask: Callable[[Member], NodeReport], context: Context
    ) -> Iterator[tuple[Member, NodeReport]]:
        """The answers of all nodes that have a part. StaleHolder when one has seen a newer holder of this upgrade."""
        members = [one for one in self._members if files[one.id]]
        for done, (member, report) in enumerate(ask_all(members, ask, tick=context.tick), start=1):
            if report.reason is Trouble.STALE:
                raise StaleHolder(f"{member.name} has seen a newer holder.")
            context.journal.progress(done / len(members))
            yield member, report

    def _all_files(self) -> Files:
        if self._plan.kept_of is None:
            files = self._read_files()
            return {member.id: files for member in self._members}
        return {
            member.id: [
                kept.back() for kept in self._memory.kept(member.id, upgrade=self._plan.kept_of)
            ]
            for member in self._members
        }

    def _files(self, context: Context) -> Files:
        """Without what the check has left out."""
        left_out = context.journal.recall(LEFT_OUT) or {}
        return {
            node: []
            if (paths := left_out.get(str(node), [])) is None
            else [file for file in files if file.path not in paths]
            for node, files in self._all_files().items()
        }

    def _kept(self, member: Member) -> list[Kept]:
        return self._memory.kept(member.id, upgrade=self._plan.upgrade)

    def _kept_files(self) -> Files:
        return {one.id: [kept.back() for kept in self._kept(one)] for one in self._members}

    def _turn(self, context: Context, *, is_back: bool = False) -> Turn:
        """Of each holder the way back is the newer turn: what was to be applied before it comes too late."""
        return Turn(upgrade=self._plan.upgrade, fence=2 * context.journal.fence + is_back)

    def _settled(self, member: Member, report: NodeReport) -> NodeReport:
        """What an earlier worker of this upgrade has done already is not "not changed": it is done."""
        before = {kept.path: kept.version for kept in self._kept(member)}
        results = [
            replace(one, status=Status.OK, reason="loaded", before=before[one.path])
            if one.status is Status.NOT_CHANGED and before.get(one.path, one.after) != one.after
            else one
            for one in report.results
        ]
        return replace(report, results=results)


def _is_as(row: Loaded, version: str) -> bool:
    """Whether the node runs `version`, or will when it loads the module. Where none was loaded before, the file counts."""
    if not version:
        return not row.is_loaded or row.version == row.disk_version
    return (row.version if row.is_loaded else row.disk_version) == version


def _refused_paths(report: NodeReport) -> list[str] | None:
    if not report.is_reachable:
        return None
    return [result.path for result in report.results if result.status in REFUSED]


def _summary(member: Member, report: NodeReport) -> str:
    if not report.is_reachable:
        return f"{member.name}: {report.detail or report.reason}"
    counts: dict[str, int] = {}
    for result in report.results:
        word = result.status.name.lower() if result.status else "copied"
        counts[word] = counts.get(word, 0) + 1
    refused = [f"{one.path}: {one.detail}" for one in report.results if one.status in REFUSED]
    told = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    return "; ".join([f"{member.name}: {told}", *refused[:5]])


def _pause(context: Context, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        context.tick()
        time.sleep(min(left, 0.5))
