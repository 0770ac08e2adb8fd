"""What an operator is told at night: the likely cause of a failure, and what to do now. A table, and pure.

A row is chosen by the error's code; a step that failed (`UPD-200`) says different things in different states, so it has a row
for each. What follows from the outcome comes last, whatever the cause was. Commands are for a shell on the device; {device},
{work}, {modules} and {module} stand for its name, our folder and the Update Modules' folder on it, and the payload type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from updates.advised import Advice, Step
from updates.engine_advice import ENGINE_CODES
from updates.machine import Outcome, State

STEP_FAILED: Final = "UPD-200"
OURS: Final = (STEP_FAILED, "UPD-302")
"""Codes of which kinds with words of their own know more than what is said of every kind."""


class Advise(Protocol):
    """The advice for a failed upgrade, with `words` in their places. None when there is nothing to say."""

    def __call__(
        self, *, code: str, state: str, outcome: Outcome | None, words: Mapping[str, str]
    ) -> Advice | None: ...


def advise(
    *,
    code: str,
    state: str,
    outcome: Outcome | None,
    words: Mapping[str, str],
    found: Advice | None = None,
    outcomes: Mapping[Outcome, tuple[Step, ...]] | None = None,
) -> Advice | None:
    """The advice for a failure, with `words` in the places of {device} and the like. None when there is nothing to say.

    Kinds with words of their own (`settings.ADVICE`) give what they have `found`, and what they say of `outcomes`.
    """
    found = found or (STEPS.get(state) if code == STEP_FAILED else None)
    found = found or CODES.get(code) or (UNKNOWN if code else None)
    then = (OUTCOMES if outcomes is None else outcomes)[outcome] if outcome else ()
    if found is None and not then:
        return None
    steps = (*(found.steps if found else ()), *then)
    return Advice(
        cause=_filled(found.cause if found else "", words),
        steps=tuple(Step(_filled(s.says, words), _filled(s.command, words)) for s in steps),
    )


def of_kind(steps: Mapping[str, Advice], outcomes: Mapping[Outcome, tuple[Step, ...]]) -> Advise:
    """What a kind of change says with words of its own: `steps` by the state that failed, `outcomes` at the end."""

    def advise_kind(
        *, code: str, state: str, outcome: Outcome | None, words: Mapping[str, str]
    ) -> Advice | None:
        found = steps.get(state) if code in OURS else None
        return advise(
            code=code, state=state, outcome=outcome, words=words, found=found, outcomes=outcomes
        )

    return advise_kind


def _filled(text: str, words: Mapping[str, str]) -> str:
    for name, word in words.items():
        text = text.replace(f"{{{name}}}", word)
    return text


_SPACE: Final = Step("Check how much room is left on the device.", "df -h {work}")
_READ_OUTPUT: Final = Step("Read the output below: the last lines mostly name the cause.")
_REACH: Final = Step("Check that it has power and network, then refresh it on its own page.")
_MEND_MODULE: Final = Step(
    "Mend the Update Module or the artifact, and upload the mended one: a retry takes the newest Update Module."
)
_IDEMPOTENT: Final = Step(
    "A state may be run again after a power cut: the Update Module has to come to the same end when it is run twice."
)

UNKNOWN: Final = Advice("This failure is not in the list of known ones.", (_READ_OUTPUT,))

CODES: Final[dict[str, Advice]] = ENGINE_CODES | {
    "FW-000": UNKNOWN,
    "FW-100": Advice(
        "The order could not be carried out as it was given.",
        (Step("Do what the sentence above asks for, and order it anew."),),
    ),
    "FW-101": Advice(
        "Something else was going on there at the same time.",
        (Step("Wait until it is over, then retry."),),
    ),
    "FW-102": Advice(
        "Whoever ordered it was not allowed to.",
        (Step("Ask whoever manages the users, or have it ordered by somebody who may."),),
    ),
    "FW-103": Advice(
        "The storage that holds artifacts does not answer, or does not have the file any more.",
        (
            Step(
                "Check that the portal reaches its storage: the log of web and workers says what went wrong."
            ),
            Step("Retry once it answers. A file that is gone has to be uploaded again."),
        ),
    ),
    "FW-104": Advice(
        "So many large files were on their way at once that the portal took no more.",
        (Step("Wait for some of them to end, then try again."),),
    ),
    "FW-105": Advice("More was sent than the portal ever reads.", (_READ_OUTPUT,)),
    "DEV-000": Advice("The device did not do what it was asked for.", (_READ_OUTPUT, _REACH)),
    "DEV-100": Advice(
        "The device is off, its network is down, or something on the way refuses the connection.",
        (_REACH, Step("Check that its SSH server runs and that host and port are right.")),
    ),
    "DEV-101": Advice(
        "It is the first contact: nobody has confirmed yet that this device is the one it says it is.",
        (
            Step(
                "On the device's page, compare the key that it shows with its own, then confirm it.",
                "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            ),
        ),
    ),
    "DEV-102": Advice(
        "The device was set up anew, another one has its address, or somebody stands in between.",
        (
            Step("Find out which of these it is before anything else is done."),
            Step(
                "Only if it was set up anew: confirm the new key on the device's page.",
                "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            ),
        ),
    ),
    "DEV-103": Advice(
        "The credential is wrong or has expired, or its public key is not on the device.",
        (
            Step("Check which credential the device uses, and its user name."),
            Step("Check that the public key is there.", "cat ~/.ssh/authorized_keys"),
        ),
    ),
    "DEV-105": Advice(
        "The device pulls: it takes what an artifact brings, by itself, and nothing else.",
        (Step("Apply an artifact, or add the device as one that is reached by SSH."),),
    ),
    "DEV-200": Advice(
        "A command that we rely on failed on the device: a full or read-only disk is the usual cause.",
        (
            _SPACE,
            Step("Check that our folder can be written.", "touch {work}/try && rm {work}/try"),
        ),
    ),
    "DEV-201": Advice(
        "Something on the device hangs, or takes longer than its state is allowed to.",
        (
            _READ_OUTPUT,
            Step("Look at what runs there.", "ps -ef"),
            Step("If it only needs more time, raise that state's limit (STATE_LIMIT_SECONDS)."),
        ),
    ),
    "DEV-202": Advice(
        "The device's disk is too full for what has to go there.",
        (_SPACE, Step("Remove what is not needed there, or send a smaller artifact.")),
    ),
    "DEV-203": Advice(
        "A folder of the device, or a name in the artifact, is none that can be used safely.",
        (Step("Check the root folder on the device's page, and the names in the artifact."),),
    ),
    "DEV-300": Advice(
        "The device lost power or was rebooted in the middle of a step.",
        (
            Step("Check its power supply, and whether somebody rebooted it.", "last -x reboot"),
            _IDEMPOTENT,
        ),
    ),
    "DEV-301": Advice(
        "Another worker has taken this upgrade over.",
        (Step("Nothing to do: the other worker goes on."),),
    ),
    "DEV-302": Advice(
        "A step of another upgrade still runs on the device.",
        (
            Step("Look at what runs there, and let it end.", "ls -lt {work}"),
            Step("Then retry."),
        ),
    ),
    "UPD-100": Advice(
        "The stored file is not the artifact that was uploaded, or it was damaged.",
        (Step("Check the portal's storage, upload the artifact again, and deploy that one."),),
    ),
    "UPD-101": Advice(
        "The device lacks something that the artifact needs.",
        (
            Step(
                "The sentence above names it: another device type, a missing version, space, or a program."
            ),
            Step("Check the artifact on this device again after mending it."),
            _SPACE,
        ),
    ),
    "UPD-102": Advice(
        "The upgrade had gone on in the meantime.", (Step("Look at where it stands now."),)
    ),
    "UPD-103": Advice(
        "There is nothing to go back to, or something newer stands on top.",
        (Step("Roll back what is newer first, or deploy the older artifact."),),
    ),
    "UPD-104": Advice(
        "Another upgrade had the device.", (Step("Wait for that one to end, then retry."),)
    ),
    "UPD-105": Advice(
        "The release holds another artifact for the same devices already.",
        (
            Step("Give the new artifact another name: a name stands for what it installs."),
            Step("Or tell the two apart by what they depend on."),
        ),
    ),
    "UPD-106": Advice(
        "A device spoke of an upgrade that it was never offered.",
        (Step("Nothing to do here: what it said was not taken in. See what runs on that device."),),
    ),
    "UPD-107": Advice(
        "A device's link to an artifact was too old, or not one of ours.",
        (Step("Nothing to do: it gets a new one when it asks for its update again."),),
    ),
    "UPD-110": Advice(
        "What was given as a key is none that artifacts can be signed or verified with.",
        (Step("Give an RSA key of 2048 bits or more, or an ECDSA key on P-256, as PEM."),),
    ),
    "UPD-200": Advice("A step of the upgrade ended with an error.", (_READ_OUTPUT,)),
    "UPD-300": Advice(
        "Another worker has taken this upgrade over.",
        (Step("Nothing to do: the other worker goes on."),),
    ),
    "UPD-301": Advice(
        "The same state was begun over and over: the device reboots again and again, or workers die on it.",
        (
            Step(
                "Look for what ends them: the workers' log, and the device's own.",
                "journalctl -b -1 -n 100",
            ),
            Step("Check its power supply, and whether it comes up at all."),
            _IDEMPOTENT,
        ),
    ),
    "UPD-302": Advice(
        "Its Update Module knows no way back.",
        (
            Step("Put in place by hand what was there before, or apply an artifact that does."),
            Step(
                "Next time: have the Update Module answer Yes to SupportsRollback, and keep a backup."
            ),
        ),
    ),
    "UPD-303": Advice(
        "Somebody ended it by force, so nothing was undone or cleaned up.",
        (Step("See whether something of it still runs on the device.", "ps -ef; ls -lt {work}"),),
    ),
    "UPD-304": Advice(
        "The portal's watchdog did not end the upgrade in time: it hangs, or does not run.",
        (
            Step("Read what the watchdog says.", "docker logs --tail 50 fleetwright-upgrader"),
            Step("Restart its container: it goes on where it was."),
        ),
    ),
    "UPD-310": Advice(
        "The device's own Mender client reported that the update failed there.",
        (
            Step("Read the device's log, below in the output: its errors come last."),
            Step("If it sent none, read it on the device.", "journalctl -u 'mender*' -n 200"),
        ),
    ),
    "UPD-311": Advice(
        "The device asked for its next update as if there had been none: it lost power, or its report did not get through.",
        (
            Step("Read on the device what became of it.", "journalctl -u 'mender*' -n 200"),
            Step("Check that nothing on its way to the portal fails for longer than it tries."),
        ),
    ),
    "UPD-312": Advice(
        "The device is off, has lost its network, or hangs in the middle of the update.",
        (
            Step(
                "Check that it has power and network. Once it is back, it says by itself what it has."
            ),
            Step(
                "See whether its client runs, and what it does.", "journalctl -u 'mender*' -n 200"
            ),
        ),
    ),
    "UPD-313": Advice(
        "It was decommissioned in the middle of the update, and may have gone on with it.",
        (
            Step(
                "Accept it again if it is to be a device of the fleet, and see what it says that it has."
            ),
        ),
    ),
    "BUG": Advice(
        "It is a fault of the portal, not of the device.",
        (
            Step("Find this upgrade's id in the portal's log: the line has the whole trace."),
            Step("Report it, with that trace. A retry is safe, but may end in the same way."),
        ),
    ),
}
"""By the error's code. Codes never change their meaning, so the rows need not either."""

STEPS: Final[dict[str, Advice]] = {
    State.CHECKING: Advice(
        "What the upgrade needs on the device is not there.",
        (_SPACE, Step("Check that our folder exists and can be written.", "ls -ld {work}")),
    ),
    State.BACKING_UP: Advice(
        "What is there now could not be saved: mostly there is no room, or the folder cannot be written.",
        (_SPACE, Step("Check the folder's permissions.", "ls -ld {work}")),
    ),
    State.DOWNLOADING: Advice(
        "The files did not get to the device whole: no room there, a broken connection, or the Update Module refused them.",
        (_READ_OUTPUT, _SPACE),
    ),
    State.INSTALLING: Advice(
        "The Update Module could not put the files in their place: something is in the way, there is no room or no "
        "permission, or what was installed does not start.",
        (
            _READ_OUTPUT,
            Step("Run the check again: it names what is missing on the device."),
            _SPACE,
            _MEND_MODULE,
        ),
    ),
    State.RESTARTING: Advice(
        "The device, or the service on it, did not come back from the restart.",
        (
            Step("Look at what happened while it started.", "journalctl -b -n 100"),
            Step("Restart it by hand if it hangs, and refresh it on its own page."),
        ),
    ),
    State.VERIFYING: Advice(
        "The new version is there but does not pass its own test after the restart.",
        (
            _READ_OUTPUT,
            Step("Look at the log of what was updated.", "journalctl -b -n 100"),
            _MEND_MODULE,
        ),
    ),
    State.COMMITTING: Advice(
        "The change was in place, but could not be made permanent.", (_READ_OUTPUT, _SPACE)
    ),
    State.COMMITTED: Advice(
        "The change is permanent, but what comes after it failed: there is no way back from here.",
        (_READ_OUTPUT, Step("Finish by hand what the output names.")),
    ),
    State.ROLLING_BACK: Advice(
        "What was there before could not be put back: often what was saved is incomplete or gone.",
        (
            _READ_OUTPUT,
            Step("See what was kept of it on the device.", "ls -lR {work} | head -50"),
            Step("Put the older version in place by hand, or apply an artifact that does."),
        ),
    ),
    State.ROLLBACK_RESTARTING: Advice(
        "The device did not come back with what was there before.",
        (Step("Restart it by hand, and look at how it starts.", "journalctl -b -n 100"),),
    ),
    State.ROLLBACK_VERIFYING: Advice(
        "What was there before is back, but does not pass its test.",
        (_READ_OUTPUT, Step("Look at the log of what was updated.", "journalctl -b -n 100")),
    ),
    State.FAILING: Advice(
        "What the Update Module does after a failure failed itself.",
        (_READ_OUTPUT, _MEND_MODULE),
    ),
    State.CLEANING: Advice(
        "Something could not be removed afterwards; the change itself is not touched by that.",
        (Step("Remove it by hand if it takes room.", "ls -lt {work}"),),
    ),
}
"""Of a step that failed, by its state."""

OUTCOMES: Final[dict[Outcome, tuple[Step, ...]]] = {
    Outcome.SUCCEEDED: (),
    Outcome.FAILED: (Step("{device} runs what it ran before. Retry once the cause is mended."),),
    Outcome.ROLLED_BACK: (
        Step("{device} runs what it ran before. Retry once the cause is mended, or deploy a mended artifact."),
    ),
    Outcome.BROKEN: (
        Step("Look at {device} itself: what is on it may be neither the old nor the new."),
        Step("Then apply a good artifact to it: that makes it whole again, and takes it off the list of broken ones."),
    ),
    Outcome.CANCELLED: (Step("{device} runs what it ran before. Retry when it is wanted after all."),),
}  # fmt: skip
"""Said at the end, whatever the cause was."""
