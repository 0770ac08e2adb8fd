"""What an operator is told when a patch went wrong: the likely cause, and what to do now. Tables, and pure.

What is not about patches (devices, storage, workers) says what it says for every upgrade: see `updates.advice`.
{instance} and {version} stand for the instance's name and the version that is recorded for it.
"""

from __future__ import annotations

from typing import Final

from updates import advice
from updates.advised import Advice, Step
from updates.machine import Outcome, State

_SEE_NODES: Final = Step(
    "See below what each node said: the first that is not well names the cause."
)
_LOOK: Final = Step("Look again at the node on its own page, and restart it there if it hangs.")
_CHECK_AGAIN: Final = Step("Check the patch again: it says on which nodes what would go wrong.")
_MEND: Final = Step("Mend the patch, delete this archive, and upload the mended one.")
_FILES: Final = Step(
    "Check that the system's user may write into its folders, and that there is room."
)

STEPS: Final[dict[str, Advice]] = {
    State.CHECKING: Advice(
        "The nodes cannot take the patch as they are now, or run another version than it was built for.",
        (_SEE_NODES, _CHECK_AGAIN),
    ),
    State.BACKING_UP: Advice(
        "What is there now could not be kept: a node went away, or runs other code than that of its files.",
        (_LOOK, Step("If it shows drift, restart it: then it runs what its files say."), _CHECK_AGAIN),
    ),
    State.INSTALLING: Advice(
        "A node could not load or write a part of it, so all nodes went back.",
        (_SEE_NODES, _FILES, _MEND),
    ),
    State.VERIFYING: Advice(
        "A node took it, but runs something else by now: it died meanwhile, or somebody loaded other code.",
        (_LOOK, _CHECK_AGAIN),
    ),
    State.ROLLING_BACK: Advice(
        "A node did not take back what was there before: it is away, or its disk cannot be written.",
        (_SEE_NODES, _LOOK, _FILES),
    ),
    State.ROLLBACK_VERIFYING: Advice(
        "The old files are back, but a node still runs something else.",
        (_SEE_NODES, Step("Restart it on its own page: then it runs what its files say.")),
    ),
}  # fmt: skip
"""Of a step that failed, by its state."""

_LAST_RESORT: Final = (
    Step(
        "The last resort: install version {version} of {instance} anew from its image or package, with its data kept "
        "(the same databases, volumes and folders)."
    ),
    Step("Then record the installation below: it takes every patch off the record."),
)

OUTCOMES: Final[dict[Outcome, tuple[Step, ...]]] = {
    Outcome.SUCCEEDED: (),
    Outcome.FAILED: (
        Step("{instance} runs what it ran before. Check and apply again once the cause is mended."),
    ),
    Outcome.ROLLED_BACK: (
        Step("All nodes of {instance} have again what they had before. Check and apply again once the cause is mended."),
        Step("Does it not work as before all the same? Then processes may hold data that the new code made: restart its nodes."),
        *_LAST_RESORT,
    ),
    Outcome.BROKEN: (
        Step("Look at the nodes of {instance}: some may run the new code, others the old one."),
        Step("Restart those that do not answer, and look again."),
        *_LAST_RESORT,
    ),
    Outcome.CANCELLED: (
        Step("{instance} runs what it ran before. Apply it again when it is wanted after all."),
    ),
}  # fmt: skip
"""Said at the end, whatever the cause was."""

advise: Final = advice.of_kind(STEPS, OUTCOMES)
