"""The picture of the machine shows the machine, and the architecture page shows the picture."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from portal.management.commands.diagram import BEGIN, END, PAGE, with_diagram
from updates.diagram import state_diagram
from updates.machine import TRANSITIONS, Arrow


def test_the_picture_on_the_architecture_page_is_current() -> None:
    page = PAGE.read_text()

    assert with_diagram(page) == page, "run `manage.py diagram --write`"


def test_every_arrow_is_drawn_under_its_event() -> None:
    drawn = set()
    for line in state_diagram().split("\n"):
        arrow, _, label = line.strip().partition(": ")
        source, is_arrow, target = arrow.partition(" --> ")
        if is_arrow and label:
            events = label.partition(" (")[0].split(", ")
            drawn |= {(source, event.replace(" ", "_"), target) for event in events}

    assert drawn == {
        (state, event, cell.to)
        for (state, event), cell in TRANSITIONS.items()
        if isinstance(cell, Arrow)
    }


def test_the_command_prints_the_picture() -> None:
    out = io.StringIO()
    call_command("diagram", stdout=out)

    assert out.getvalue() == state_diagram()


@pytest.mark.parametrize("page", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_page_without_one_pair_of_markers_is_left_alone(page: str) -> None:
    with pytest.raises(CommandError, match="needs one"):
        with_diagram(page)
