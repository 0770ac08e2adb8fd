"""What an operator is told when the upgrade of a watched container went wrong: the likely cause, and what to do now.

After the troubleshooting of seeds/container-self-upgrade.md. What is not about containers says what it says for every upgrade:
see `updates.advice`. {instance} stands for the instance's name. Tables, and pure.
"""

from __future__ import annotations

from typing import Final

from updates import advice
from updates.advised import Advice, Step
from updates.machine import Outcome, State

SEE_WATCHDOG: Final = (
    "See whether the watchdog's container runs, and what its log says: docker compose -f compose.yaml -f compose.upgrade.yaml "
    "ps watchdog (logs watchdog; up --detach watchdog starts it, and it goes on where it was)."
)
"""What to do about an upgrade of the portal that does not move: no worker and no Recover has a part in it."""
_READ: Final = Step("Read the output below: the last lines mostly name the cause.")
_ROOM: Final = Step("Check how much room is left on the device.", "df -h; docker system df")
_LOGS: Final = Step("Read what the containers said.", "docker ps -a; docker logs --tail 50 NAME")
_BACKUPS: Final = Step("Check that the backup directory is there and can be written.", "ls -la")
_FILES: Final = Step(
    "Check that the Compose files are where they were, and valid.", "docker compose config --quiet"
)
_GATE: Final = Step(
    "If it only needs longer, or a probe asks for the wrong thing, correct its settings."
)

STEPS: Final[dict[str, Advice]] = {
    State.CHECKING: Advice(
        "The preflight found something that would have gone wrong; nothing was changed.",
        (_ROOM, _BACKUPS, _FILES, Step("Run the preflight again on its page until every line is good.")),
    ),
    State.BACKING_UP: Advice(
        "Its data could not be copied while it ran, so it was not stopped.",
        (_READ, _ROOM, _BACKUPS),
    ),
    State.DOWNLOADING: Advice(
        "The image did not come; the containers run as before.",
        (_READ, _ROOM, Step("Retry: what came already is kept.")),
    ),
    State.INSTALLING: Advice(
        "It was stopped, and its data could not be copied or its containers not be made anew.",
        (_READ, _FILES, _ROOM),
    ),
    State.RESTARTING: Advice("The new containers could not be started.", (_LOGS, _READ)),
    State.VERIFYING: Advice(
        "The new version started, but did not work in time, or is not the one that was asked for.",
        (_LOGS, _GATE),
    ),
    State.COMMITTING: Advice("What is in force could not be written down.", (_READ,)),
    State.ROLLING_BACK: Advice(
        "The containers of before could not be put back.",
        (
            _READ,
            _LOGS,
            Step("The old image has a tag of ours still.", "docker images fleetwright.local/kept"),
            Step("The copy of its data is listed under Backups: Restore puts it back."),
        ),
    ),
    State.ROLLBACK_RESTARTING: Advice("The containers of before could not be started.", (_LOGS, _READ)),
    State.ROLLBACK_VERIFYING: Advice(
        "The version of before is back, and does not work in time.",
        (_LOGS, Step("If its data is the cause, restore an older backup.")),
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
        Step("{instance} runs its old version again, with its data. Read the release notes of the new one before you retry."),
        Step("If its maker has to mend it, skip the version, so that nobody is offered it."),
    ),
    Outcome.BROKEN: (
        Step("Nobody knows what {instance} runs now: look at its containers.", "docker ps -a"),
        Step("Mend the cause, then retry, or order the version that it had: both begin with what is there now."),
    ),
    Outcome.CANCELLED: (
        Step("{instance} runs what it ran before. Order it again when it is wanted after all."),
    ),
}  # fmt: skip
"""Said at the end, whatever the cause was."""

advise: Final = advice.of_kind(STEPS, OUTCOMES)


def of_the_portal(found: Advice | None, *, container: str) -> Advice:
    """The advice about the portal's own upgrade, whose web part is `container`: no page shows what its watchdog's log says."""
    cause = found.cause if found else "Its watchdog has stopped, or hangs."
    seen = Step(
        "See whether the watchdog runs, and what it says.",
        f"docker logs --tail 50 {container}-upgrader",
    )
    return Advice(cause, (*(found.steps if found else ()), seen))
