"""An upgrade in the seed's words: eight statuses, each with how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from devices.drivers.references import parse_reference
from devices.errors import BadReference
from updates.machine import Outcome, State
from updates.models import Upgrade, UpgradeEvent

MOST_LOGS: Final = 200

_STATES: Final[Mapping[State, tuple[str, int, str]]] = {
    State.PENDING: ("pending", 0, "Waiting for its turn"),
    State.CHECKING: ("pending", 5, "Checking"),
    State.BACKING_UP: ("backing_up", 20, "Creating backup"),
    State.DOWNLOADING: ("downloading", 40, "Downloading new version"),
    State.INSTALLING: ("restarting", 60, "Recreating container"),
    State.RESTARTING: ("restarting", 60, "Restarting services"),
    State.VERIFYING: ("health_check", 80, "Running health checks"),
    State.COMMITTING: ("health_check", 80, "Making it permanent"),
    State.COMMITTED: ("health_check", 80, "Making it permanent"),
    State.ROLLING_BACK: ("restarting", 60, "Rolling back"),
    State.ROLLBACK_RESTARTING: ("restarting", 60, "Restarting the previous version"),
    State.ROLLBACK_VERIFYING: ("health_check", 80, "Running health checks of the previous version"),
    State.FAILING: ("health_check", 80, "Cleaning up"),
    State.CLEANING: ("health_check", 80, "Cleaning up"),
}
_OUTCOMES: Final[Mapping[Outcome, tuple[str, str]]] = {
    Outcome.SUCCEEDED: ("complete", "Upgrade complete"),
    Outcome.ROLLED_BACK: ("rolled_back", "Rolled back"),
    Outcome.FAILED: ("failed", "Failed, nothing was changed"),
    Outcome.BROKEN: ("failed", "Failed, a person is needed"),
    Outcome.CANCELLED: ("failed", "Cancelled"),
}


@dataclass(frozen=True, slots=True)
class Progress:
    """`status` is one of the seed's words, `percent` 0 to 100, `step` what is being done. `error` is empty while all is well."""

    status: str
    percent: int
    step: str
    error: str


def progress_of(upgrade: Upgrade) -> Progress:
    """How far the upgrade is. What is cancelled or broken is `failed`, and its error says which."""
    if upgrade.state != State.FINISHED:
        status, percent, step = _STATES[State(upgrade.state)]
        return Progress(status, percent, step, upgrade.error)
    outcome = Outcome(upgrade.outcome or Outcome.BROKEN)
    status, step = _OUTCOMES[outcome]
    if outcome is Outcome.SUCCEEDED:
        return Progress(status, 100, step, "")
    reached = _STATES[State(upgrade.error_state)][1] if upgrade.error_state else 0
    return Progress(status, reached, step, upgrade.error or f"{step}.")


def logs_of(upgrade: Upgrade) -> list[str]:
    """What happened, a line for each step and each note, the last of them."""
    kinds = [UpgradeEvent.Kind.ARROW, UpgradeEvent.Kind.NOTE]
    rows = upgrade.events.filter(kind__in=kinds).order_by("-seq")
    lines = [_line(*row) for row in rows.values_list("to_state", "text")[:MOST_LOGS]]
    return [line for line in ["Upgrade initiated", *reversed(lines)] if line]


def version_in(image: str) -> str:
    """The tag of a reference; of one without a tag, all of it."""
    try:
        return parse_reference(image).tag or image
    except BadReference:
        return image


def _line(to_state: str, text: str) -> str:
    if text or not to_state or to_state not in _STATES:
        return text
    return _STATES[State(to_state)][2]
