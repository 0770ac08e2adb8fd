"""What an operator is told about Docker Engines, registries, images and health gates: rows of `updates.advice`, and pure."""

from __future__ import annotations

from typing import Final

from updates.advised import Advice, Step

_ENGINE: Final = Step("Check that the engine runs on the device.", "systemctl status docker")
_ACCESS: Final = Step("Check on the device's page how its engine is reached.")
_SPACE: Final = Step("Check how much room the engine has.", "docker system df; df -h")
_NAME: Final = Step("Check the image's name and tag, and order it again.")
_LOGIN: Final = Step(
    "Check the registry's login in the portal: without one, some registries refuse what they would give others."
)
_RETRY: Final = Step("Retry: what came already is kept.")
_WHO: Final = Step("See which containers there are, stopped ones too.", "docker ps -a")

ENGINE_CODES: Final[dict[str, Advice]] = {
    "DEV-104": Advice(
        "The device's Docker Engine does not run, or what leads to it is closed.", (_ENGINE, _ACCESS)
    ),
    "DEV-400": Advice("The name of an image, a tag or a digest is none.", (_NAME,)),
    "DEV-410": Advice(
        "The Docker Engine would not do what it was asked for: its own words are in the sentence above.",
        (_ENGINE, _SPACE),
    ),
    "DEV-411": Advice("An image is not on the device any more: somebody removed it.", (_RETRY,)),
    "DEV-412": Advice(
        "The image has no such folder: it is no module's, or was built without its imageroot.",
        (Step("Look into the image's labels and files; build it again, or order another version."),),
    ),
    "DEV-413": Advice(
        "A volume that is to be kept is not there.",
        (
            Step("See which volumes there are.", "docker volume ls"),
            Step("Correct the volumes in the settings of the instance, then order it again."),
        ),
    ),
    "DEV-414": Advice("An image cannot be removed, for a container uses it.", (_WHO,)),
    "DEV-415": Advice("A volume cannot be removed, for a container uses it.", (_WHO,)),
    "DEV-416": Advice(
        "An image did not come: the registry, the network, or the room on the device is the cause.",
        (_SPACE, _LOGIN, _RETRY),
    ),
    "DEV-417": Advice("Something cannot be removed, for a container uses it.", (_WHO,)),
    "DEV-418": Advice(
        "A transfer broke off, or brought something that is no archive.", (_RETRY, _SPACE)
    ),
    "DEV-420": Advice("A registry did not answer as registries do.", (_NAME, _LOGIN)),
    "DEV-421": Advice(
        "The registry cannot be reached from the portal.",
        (
            Step("Check the registry's name, and that the portal reaches it; then retry."),
            Step("If the portal has to go through a proxy, check its settings."),
        ),
    ),
    "DEV-422": Advice(
        "The registry refuses: it does not know us, or it has had too many questions from here.",
        (
            _LOGIN,
            Step("If it says that there were too many, wait as long as it says, then retry."),
        ),
    ),
    "DEV-423": Advice("The registry has no such image, or does not show it to us.", (_NAME, _LOGIN)),
    "DEV-424": Advice(
        "The image is not made for this kind of machine.",
        (Step("Order a version that is made for it, or have one built."),),
    ),
    "DEV-430": Advice(
        "What was started does not work in time: the probes above say which part.",
        (
            Step("Read the service's own log on the device.", "journalctl -n 200"),
            Step("If it only needs longer, or a probe asks for the wrong thing, correct the health gate in the settings."),
        ),
    ),
    "DEV-440": Advice("A container is not on the device any more: somebody removed it.", (_WHO,)),
    "DEV-441": Advice(
        "A container has the name that a new one was to get.",
        (_WHO, Step("Rename or remove the one that has it, then retry.")),
    ),
    "UPD-120": Advice(
        "The image is not one that can be installed as a module: its labels or its files break a rule.",
        (Step("Have the module's maker mend what the sentence above names, or order another version."),),
    ),
    "UPD-121": Advice(
        "A repository cannot be used: it is away, or what it publishes is no index of modules.",
        (Step("Open its address in a browser, and check it on the repository's page."),),
    ),
    "UPD-130": Advice(
        "The order was not in the shape that is asked for.",
        (Step("Mend the fields that the sentence names, and order it again."),),
    ),
    "UPD-140": Advice(
        "The Compose files that made the container cannot make it again as they are.",
        (
            Step("Look at what Compose makes of them.", "docker compose config"),
            Step("Mend what the sentence above names, then run the preflight again."),
        ),
    ),
    "UPD-141": Advice(
        "The container was made by Compose, and the device has none that can make it again.",
        (Step("Install Docker's Compose plugin on the device.", "docker compose version"),),
    ),
    "UPD-142": Advice(
        "A file is no backup that can be put back, or the data cannot be copied.",
        (
            Step("See which backups there are on the container's page, under Backups."),
            _SPACE,
        ),
    ),
}  # fmt: skip
