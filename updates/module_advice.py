"""What an operator is told when the update of a module's instance went wrong: the likely cause, and what to do now.

What is not about modules (devices, engines, workers) says what it says for every upgrade: see `updates.advice`. {instance}
stands for the instance's name. Tables, and pure.
"""

from __future__ import annotations

from typing import Final

from updates import advice
from updates.advised import Advice, Step
from updates.machine import Outcome, State

_READ: Final = Step("Read the output below: the last lines mostly name the cause.")
_ROOM: Final = Step("Check how much room is left on the device.", "df -h; docker system df")
_LOG: Final = Step("Read the log of its services on the device.", "journalctl --user -n 200")
_STEPPING_STONE: Final = Step(
    "If the version asks for a newer one to come from, update to that one first: Updates offers it."
)
_USER: Final = Step(
    "Check that its user is there and that the user's service manager runs.", "loginctl list-users"
)

STEPS: Final[dict[str, Advice]] = {
    State.CHECKING: Advice(
        "The image cannot follow what is installed there, or the device is not ready for it.",
        (_STEPPING_STONE, _USER, _ROOM),
    ),
    State.BACKING_UP: Advice(
        "What is installed could not be kept, so nothing was changed.",
        (_ROOM, _READ, Step("If volumes are to be kept, check their names in the settings.")),
    ),
    State.DOWNLOADING: Advice(
        "The image or one of its services' images did not come; files and services are untouched.",
        (_READ, _ROOM, Step("Retry: images that came already are kept.")),
    ),
    State.INSTALLING: Advice(
        "The files could not be put in place, or a script of the update ended with an error.",
        (
            _READ,
            Step("If it was a script: have the module's maker mend it, or let the settings go on after a script that fails."),
        ),
    ),
    State.RESTARTING: Advice("Its services could not be started again.", (_LOG, _READ)),
    State.VERIFYING: Advice(
        "It was installed, but does not work in time.",
        (_LOG, Step("If a probe asks for the wrong thing, correct the health gate in the settings.")),
    ),
    State.COMMITTING: Advice("What is in force could not be written down on the device.", (_ROOM, _READ)),
    State.ROLLING_BACK: Advice(
        "What was kept could not be put back.",
        (_READ, _ROOM, _USER, Step("Once the cause is mended, reinstall the version that it had before.")),
    ),
    State.ROLLBACK_RESTARTING: Advice("The services of before could not be started.", (_LOG, _READ)),
    State.ROLLBACK_VERIFYING: Advice(
        "The version of before is back, and does not work in time.",
        (_LOG, Step("Data that a script of the update changed may be the cause: it is back only if it was kept.")),
    ),
    State.CLEANING: Advice("Something could not be tidied up.", (_ROOM, _READ)),
}  # fmt: skip
"""Of a step that failed, by its state."""

OUTCOMES: Final[dict[Outcome, tuple[Step, ...]]] = {
    Outcome.SUCCEEDED: (),
    Outcome.FAILED: (
        Step("{instance} runs what it ran before. Retry once the cause is mended."),
    ),
    Outcome.ROLLED_BACK: (
        Step("{instance} has again what it had before. Try it on another instance, or hold this one, until the cause is mended."),
        Step("If its maker has to mend it, skip the version, so that nobody is offered it."),
    ),
    Outcome.BROKEN: (
        Step("Nobody knows what {instance} runs now: look at its services on the device.", "systemctl --user --failed"),
        Step("Mend the cause, then retry, or reinstall the version that it had: both begin with what is there now."),
    ),
    Outcome.CANCELLED: (
        Step("{instance} runs what it ran before. Order it again when it is wanted after all."),
    ),
}  # fmt: skip
"""Said at the end, whatever the cause was."""

advise: Final = advice.of_kind(STEPS, OUTCOMES)
