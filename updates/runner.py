"""Takes one upgrade through the machine, with a recipe for its steps and a journal for its memory. Pure.

The journal is written before anything is done: state, then step, then event. So whoever takes over after a crash finds the
state in which it happened, and asks the recipe for that step again: steps know how to resume themselves.

How a step ends                     what the machine hears
  returns an Event                  that event
  StepFailed, DeviceError, Refused  FAILED
  DeviceCut                         INTERRUPTED
  any other exception               FAILED, marked as a fault of the portal, with its traceback in the log
  Cancelled                         CANCEL
  HandOver, LeaseLost, StaleHolder  nothing: this worker leaves, another one resumes
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from devices.errors import DeviceCut, DeviceError, StaleHolder
from portal.core.errors import FleetwrightError, Refused
from updates.errors import LeaseLost, NoArrow, StepFailed
from updates.machine import CANCELLABLE, Event, State

log = structlog.get_logger(__name__)


class Cancelled(Exception):
    """A person asked for a cancel, and the state still allows it."""


class HandOver(Exception):
    """This worker is to stop; the step goes on at the device, and the upgrade under another worker."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step failed: a stable code, a sentence, what was running, the last of its output."""

    code: str
    sentence: str
    call: str = ""
    output: str = ""
    is_fault: bool = False

    @classmethod
    def of(cls, error: FleetwrightError) -> Failure:
        return cls(
            code=error.code,
            sentence=str(error),
            call=getattr(error, "call", ""),
            output=getattr(error, "output", ""),
        )


class Journal(Protocol):
    """One upgrade's memory, held by one worker. Every method raises LeaseLost when somebody else holds it by now."""

    @property
    def upgrade(self) -> str:
        """The upgrade's id."""
        ...

    @property
    def fence(self) -> int:
        """The number of this holder; the device refuses lower ones than it has seen."""
        ...

    @property
    def state(self) -> State: ...

    @property
    def state_seq(self) -> int:
        """The number of the event that entered the state: another one each time, so it names this visit of the state."""
        ...

    @property
    def is_success(self) -> bool:
        """Whether the outcome that is decided so far is `succeeded`."""
        ...

    @property
    def is_broken(self) -> bool:
        """Whether it is decided that a person is needed."""
        ...

    @property
    def trouble(self) -> tuple[type[Exception], ...]:
        """What the journal's own medium raises when it fails: never the step's fault."""
        ...

    def take(self, event: Event, *, failure: Failure | None = None) -> State:
        """The event's arrow was taken and recorded, in one transaction. The new state. NoArrow when there is none."""
        ...

    def break_off(self, failure: Failure) -> None:
        """The upgrade is over, `broken`, wherever it was: for what the table has no arrow for."""
        ...

    def output(self, call: str, data: bytes) -> None:
        """`data` will be stored as output of `call`, at the latest when the next arrow is taken."""
        ...

    def output_stored(self, call: str) -> int:
        """How many bytes of the output of `call` are stored, over all workers."""
        ...

    def note(self, text: str, *, call: str = "", data: dict[str, Any] | None = None) -> None:
        """A sentence in the history."""
        ...

    def progress(self, fraction: float) -> None:
        """How much of the state's work is done, 0..1. Shown progress never goes back."""
        ...

    def recall(self, fact: str) -> Any:  # noqa: ANN401 - JSON
        """What was remembered under `fact` by any worker of this upgrade; None when nothing was."""
        ...

    def remember(self, fact: str, value: Any) -> None:  # noqa: ANN401 - JSON
        """`value` (JSON) outlives this worker."""
        ...

    def seconds_left(self) -> float:
        """Until the state's time limit. The same for a worker that resumes."""
        ...

    def tick(self) -> bool:
        """Stored output is flushed when due. True when a cancel was asked for. HandOver when this worker is to leave."""
        ...


Step = Callable[["Context"], Event]


class Recipe(Protocol):
    """What one kind of change does in each state."""

    def step(self, state: State) -> Step | None:
        """The step for `state`; None when there is nothing to do in it."""
        ...


class WhenNeeded:
    """A recipe that is made in its first state: a plan that cannot be read is a fault of that step, and ends the upgrade."""

    def __init__(self, make: Callable[[], Recipe]) -> None:
        self._make = make
        self._made: Recipe | None = None

    def step(self, state: State) -> Step | None:
        if self._made is None:
            self._made = self._make()
        return self._made.step(state)


class Context:
    """What a step sees of the machine."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.state = journal.state

    def tick(self) -> None:
        """To be called between and inside steps, at least once a second. Raises Cancelled, HandOver or LeaseLost."""
        if self.journal.tick() and self.state in CANCELLABLE:
            raise Cancelled

    def key(self, call: str) -> str:
        """The name of `call` in this visit of the state: whoever resumes gets the same, a repeat gets another."""
        return f"{self.journal.state_seq:04d}-{call}"


def advance(journal: Journal, recipe: Recipe) -> None:
    """The upgrade is FINISHED. Or HandOver, LeaseLost, StaleHolder came out, and somebody else has to go on."""
    while journal.state is not State.FINISHED:
        event, failure = _perform(Context(journal), recipe)
        try:
            journal.take(event, failure=failure)
        except NoArrow as error:
            log.exception(
                "no arrow", upgrade=journal.upgrade, state=journal.state, step_event=event
            )
            journal.break_off(_fault(error))


_LEAVE: Final = (HandOver, LeaseLost, StaleHolder)


def _perform(context: Context, recipe: Recipe) -> tuple[Event, Failure | None]:
    state = context.state
    log.info("step", upgrade=context.journal.upgrade, state=state.value)
    try:
        context.tick()
        if state is State.PENDING:
            return Event.DONE, None
        step = recipe.step(state)
        return (step(context) if step else Event.NOTHING_TO_DO), None
    except _LEAVE:
        raise
    except context.journal.trouble:
        raise
    except Cancelled:
        return Event.CANCEL, None
    except DeviceCut as error:
        return Event.INTERRUPTED, Failure.of(error)
    except (StepFailed, DeviceError, Refused) as error:
        return Event.FAILED, Failure.of(error)
    except Exception as error:
        log.exception("step crashed", upgrade=context.journal.upgrade, state=state.value)
        return Event.FAILED, _fault(error)


def _fault(error: Exception) -> Failure:
    return Failure(
        code="BUG",
        sentence=f"A fault in the portal itself: {type(error).__name__}. Its log has the details.",
        is_fault=True,
    )
