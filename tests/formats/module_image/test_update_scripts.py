"""What of an image an update executes, and in which order."""

from __future__ import annotations

from updates.formats.module_image import (
    OUR_STEPS,
    Kind,
    Listed,
    Listing,
    Step,
    action_scripts,
    steps,
    update_scripts,
)

RUN = Listed(Kind.FILE, 0o755)
TEXT = Listed(Kind.FILE, 0o644)
FOLDER = Listed(Kind.DIRECTORY, 0o755)


def link(to: str) -> Listed:
    return Listed(Kind.LINK, 0o777, link=to)


LISTING = Listing.of(
    {
        "actions": FOLDER,
        "actions/create-module": FOLDER,
        "actions/create-module/20expand": RUN,
        "actions/update-module": FOLDER,
        "actions/update-module/05pullimages": RUN,
        "actions/update-module/80start_services": RUN,
        "actions/update-module/README": TEXT,
        "update-module.d": FOLDER,
        "update-module.d/50fix_vmail_listing": RUN,
        "update-module.d/10Do_upgrades": RUN,
        "update-module.d/14dark-theme": RUN,
        "update-module.d/10expand": link("../actions/create-module/20expand"),
        "update-module.d/11gone": link("../actions/missing"),
        "update-module.d/12text": link("README"),
        "update-module.d/README": TEXT,
        "update-module.d/.hidden": RUN,
        "update-module.d/60folder": FOLDER,
        "update-module.d/60folder/not-this-one": RUN,
    }
)


def test_scripts_run_in_the_order_of_bytes_whatever_their_case() -> None:
    assert [script.name for script in update_scripts(LISTING) if script.runs] == [
        "10Do_upgrades",
        "10expand",
        "14dark-theme",
        "50fix_vmail_listing",
    ]


def test_what_is_not_run_is_said_with_why() -> None:
    said = {script.name: script.says for script in update_scripts(LISTING) if not script.runs}
    assert said == {
        ".hidden": "'update-module.d/.hidden' is not run: its name begins with a dot.",
        "11gone": "'update-module.d/11gone' is not run: the link leads to nothing that the image has.",
        "12text": "'update-module.d/12text' is not run: it is not executable.",
        "60folder": "'update-module.d/60folder' is not run: it is a directory.",
        "README": "'update-module.d/README' is not run: it is not executable.",
    }


def test_a_module_without_scripts_has_none() -> None:
    assert update_scripts(Listing.of({"a": RUN})) == []


def test_steps_of_the_module_stand_between_ours_or_in_their_place() -> None:
    theirs = [script.name for script in action_scripts(LISTING) if script.runs]
    assert steps(OUR_STEPS, theirs) == [
        Step("05pullimages", theirs=True, replaces_ours=True),
        Step("50run_scriptdir", theirs=False),
        Step("80start_services", theirs=True),
        Step("95cleanup_images", theirs=False),
        Step("96cleanup_core_images", theirs=False),
    ]
