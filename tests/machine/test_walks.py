"""Random walks through the machine: whatever steps do, the promises hold."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import CommandFailed, DeviceCut, DeviceUnreachable, StaleHolder
from portal.core.errors import Refused
from tests.machine.memory_journal import MemoryJournal, Taken
from updates.errors import LeaseLost, StepFailed
from updates.machine import CANCELLABLE, REPEAT_LIMIT, TRANSITIONS, Arrow, Event, Outcome, State
from updates.runner import Context, HandOver, Step, advance

Deed = Callable[[Context], Event]


def says(event: Event) -> Deed:
    return lambda _context: event


def raises(error: Exception) -> Deed:
    def deed(_context: Context) -> Event:
        raise error

    return deed


def listens(context: Context) -> Event:
    """Hears a cancel in the middle of its work."""
    context.tick()
    return Event.DONE


WAYS_TO_END: dict[str, Deed | None] = {
    "done": says(Event.DONE),
    "nothing to do": says(Event.NOTHING_TO_DO),
    "no step": None,
    "listens": listens,
    "step failed": raises(StepFailed("It did not work.", call="Download", output="no")),
    "unreachable": raises(DeviceUnreachable("Nobody answers.")),
    "refused": raises(Refused("Not this one.")),
    "cut": raises(DeviceCut("The power went.")),
    "crash": raises(KeyError("a bug")),
}
"""What a correct recipe may do in any state; the weights are those of st.sampled_from: all alike."""


@dataclass(slots=True)
class ScriptedRecipe:
    """Does what the script says next, and `then` once the script is over."""

    script: Iterator[str]
    then: str = "done"
    performed: list[State] = field(default_factory=list)

    def step(self, state: State) -> Step | None:
        self.performed.append(state)
        return WAYS_TO_END[next(self.script, self.then)]


scripts = st.lists(st.sampled_from(sorted(WAYS_TO_END)), max_size=60)
endings = st.sampled_from(sorted(WAYS_TO_END))


@dataclass
class Walk:
    """One upgrade that goes through the machine when somebody looks. A cancel is asked for at the `cancel_at`-th tick."""

    script: list[str]
    then: str = "done"
    cancel_at: int | None = None
    ticks: int = 0

    @cached_property
    def recipe(self) -> ScriptedRecipe:
        return ScriptedRecipe(iter(self.script), self.then)

    @cached_property
    def journal(self) -> MemoryJournal:
        journal = MemoryJournal(on_tick=self._hears_cancel)
        advance(journal, self.recipe)
        return journal

    @property
    def history(self) -> list[Taken]:
        return self.journal.history

    @property
    def performed(self) -> list[State]:
        """The states whose steps the recipe was asked for."""
        return self.recipe.performed if self.history else []

    def _hears_cancel(self, _journal: MemoryJournal) -> bool:
        self.ticks += 1
        return self.cancel_at is not None and self.ticks >= self.cancel_at


walks = st.builds(Walk, script=scripts, then=endings, cancel_at=st.none() | st.integers(1, 30))


@pytest.fixture(scope="module", autouse=True)
def quiet_runner() -> Iterator[None]:
    """Thousands of steps that crash on purpose are not worth their tracebacks."""
    logger = logging.getLogger("updates.runner")
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(logging.NOTSET)


@given(walks)
def test_every_path_ends_and_has_an_outcome(walk: Walk) -> None:
    assert walk.journal.state is State.FINISHED
    assert walk.journal.outcome is not None
    assert len(walk.history) <= len(State) + REPEAT_LIMIT + 1


@given(walks)
def test_every_arrow_is_one_of_the_table_or_breaks_off(walk: Walk) -> None:
    for taken in walk.history:
        cell = TRANSITIONS.get((taken.state, taken.event))
        if taken.is_broken_off:
            assert taken.to is State.FINISHED
            was_changed = State.INSTALLING in walk.journal.entered
            assert (taken.outcome is Outcome.BROKEN) == was_changed
        else:
            assert isinstance(cell, Arrow)
            assert cell.to is taken.to


@given(walks)
def test_what_was_begun_and_not_committed_is_rolled_back(walk: Walk) -> None:
    entered = set(walk.journal.entered)
    is_broken_off = any(taken.is_broken_off for taken in walk.history)
    if State.INSTALLING in entered and State.COMMITTED not in entered and not is_broken_off:
        assert State.ROLLING_BACK in entered


@given(walks)
def test_nothing_is_called_unharmed_after_the_installation_began(walk: Walk) -> None:
    if State.INSTALLING in walk.journal.entered:
        assert walk.journal.outcome not in (Outcome.FAILED, Outcome.CANCELLED)
    else:
        assert walk.journal.outcome is not Outcome.ROLLED_BACK


@given(walks)
def test_what_is_rolled_back_was_verified_to_be_so(walk: Walk) -> None:
    if walk.journal.outcome is Outcome.ROLLED_BACK:
        said = [taken.event for taken in walk.history if taken.to is State.FAILING]
        assert said and said[-1] in (Event.DONE, Event.NOTHING_TO_DO)


@given(walks)
def test_an_outcome_never_improves(walk: Walk) -> None:
    decided = [taken.outcome for taken in walk.history if taken.outcome is not None]
    for before, after in itertools.pairwise(decided):
        assert after in (before, Outcome.BROKEN)


@given(walks)
def test_progress_never_goes_back(walk: Walk) -> None:
    shown = [taken.percent for taken in walk.history]
    assert shown == sorted(shown)
    assert shown[-1] == 100


@given(walks)
def test_a_cancel_is_heard_only_where_it_is_allowed(walk: Walk) -> None:
    for taken in walk.history:
        if taken.event is Event.CANCEL:
            assert taken.state in CANCELLABLE


@given(script=scripts, cancel_at=st.integers(1, 12))
def test_a_cancel_in_time_never_ends_as_a_success(script: list[str], cancel_at: int) -> None:
    walk = Walk(script, cancel_at=cancel_at)
    heard = [taken for taken in walk.history if taken.event is Event.CANCEL]
    if heard:
        assert walk.journal.outcome is not Outcome.SUCCEEDED


@given(walks)
def test_only_a_crash_is_called_a_fault_of_the_portal(walk: Walk) -> None:
    faults = sum(taken.failure is not None and taken.failure.is_fault for taken in walk.history)
    used = walk.script[: len(walk.performed)]
    if "crash" not in used and walk.then != "crash":
        assert faults == 0


def test_a_clean_path_visits_every_state_once_in_order() -> None:
    walk = Walk([])

    assert walk.performed == [
        State.CHECKING, State.BACKING_UP, State.DOWNLOADING, State.INSTALLING, State.RESTARTING,
        State.VERIFYING, State.COMMITTING, State.COMMITTED, State.CLEANING,
    ]  # fmt: skip
    assert walk.journal.outcome is Outcome.SUCCEEDED


def test_a_crash_fails_the_step_and_says_so_without_its_insides() -> None:
    walk = Walk(["crash"])

    failure = walk.history[1].failure
    assert failure is not None
    assert failure.is_fault
    assert "KeyError" in failure.sentence
    assert "a bug" not in failure.sentence
    assert walk.journal.outcome is Outcome.FAILED


def test_a_failure_keeps_what_was_running_and_what_it_said() -> None:
    failure = Walk(["step failed"]).history[1].failure

    assert failure is not None
    assert (failure.code, failure.call, failure.output) == ("UPD-200", "Download", "no")
    assert not failure.is_fault


@pytest.mark.parametrize(("good", "outcome"), [(0, Outcome.FAILED), (3, Outcome.BROKEN)])
def test_a_device_that_is_cut_in_every_state_is_given_up_at_the_limit(
    good: int, outcome: Outcome
) -> None:
    """Broken, unless nothing had been changed by then."""
    walk = Walk(["done"] * good, then="cut")

    assert walk.journal.outcome is outcome
    assert walk.journal.repeats == REPEAT_LIMIT


def test_a_rollback_reboot_is_done_over_about_a_dozen_times() -> None:
    """Mender's clients stop after 11 to 13 of them."""
    to_the_rollback = ["done"] * 3 + ["step failed", "done"]
    walk = Walk([*to_the_rollback, *["done", "step failed"] * 40])

    assert walk.journal.outcome is Outcome.BROKEN
    assert 11 <= walk.performed.count(State.ROLLBACK_RESTARTING) <= 13


def test_a_cleanup_that_fails_after_a_good_commit_is_a_success_with_a_warning() -> None:
    walk = Walk([*["done"] * 8, "step failed"])

    assert walk.journal.outcome is Outcome.SUCCEEDED
    assert walk.journal.warning is not None


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (state, event)
        for state in State
        for event in Event
        if (state, event) not in TRANSITIONS and state not in (State.PENDING, State.FINISHED)
    ],
)
def test_an_event_without_an_arrow_breaks_off_on_the_spot(
    state: State, event: Event, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="updates.runner")
    journal = MemoryJournal(state=state)

    advance(journal, Always(says(event)))

    assert journal.entered == [State.PENDING, State.FINISHED]
    assert journal.outcome is Outcome.BROKEN
    failure = journal.history[-1].failure
    assert failure is not None
    assert failure.is_fault
    assert "no arrow" in caplog.text


def test_a_cancel_that_a_step_reports_where_none_is_taken_breaks_off() -> None:
    journal = MemoryJournal(state=State.COMMITTING)

    advance(journal, Always(says(Event.CANCEL)))

    assert journal.outcome is Outcome.BROKEN


class Always:
    """A recipe with one deed for every state."""

    def __init__(self, deed: Deed) -> None:
        self._deed = deed

    def step(self, _state: State) -> Step | None:
        return self._deed


class JournalFell(Exception):
    """The journal's own medium failed."""


@pytest.mark.parametrize(
    "error",
    [
        HandOver(),
        LeaseLost("Another worker holds it."),
        StaleHolder("The device has seen a newer holder."),
        JournalFell(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("state", [s for s in State if s not in (State.PENDING, State.FINISHED)])
def test_whoever_has_to_leave_leaves_without_an_event(state: State, error: Exception) -> None:
    journal = MemoryJournal(state=state, trouble=(JournalFell,))

    with pytest.raises(type(error)):
        advance(journal, Always(raises(error)))

    assert journal.history == []
    assert journal.state is state


@pytest.mark.parametrize("error", [HandOver(), LeaseLost("Another worker holds it.")])
def test_whoever_has_to_leave_does_not_even_begin_the_step(error: Exception) -> None:
    def leave(_journal: MemoryJournal) -> bool:
        raise error

    journal = MemoryJournal(state=State.INSTALLING, on_tick=leave)
    recipe = ScriptedRecipe(iter([]))

    with pytest.raises(type(error)):
        advance(journal, recipe)
    assert recipe.performed == []


def test_a_failed_command_of_ours_fails_the_step_with_its_output() -> None:
    journal = MemoryJournal(state=State.COMMITTED)
    error = CommandFailed("It ended with status 3.", status=3, output="last words")

    advance(journal, Always(raises(error)))

    failure = journal.history[0].failure
    assert failure is not None
    assert failure.output == "last words"


def test_the_key_of_a_call_names_the_visit_of_the_state() -> None:
    journal = MemoryJournal(state=State.INSTALLING, state_seq=7)
    key = Context(journal).key("ArtifactInstall")
    journal.take(Event.FAILED)

    assert key == "0007-ArtifactInstall"
    assert Context(journal).key("ArtifactInstall") == "0008-ArtifactInstall"
