"""What an operator is told when a patch went wrong."""

from __future__ import annotations

import pytest

from patches.advice import OUTCOMES, STEPS, advise
from updates.machine import Outcome, State

WORDS = {"instance": "billing", "version": "1.0.0", "device": "rack-1", "work": "/w"}


def test_every_outcome_says_how_the_system_is_left() -> None:
    assert set(OUTCOMES) == set(Outcome)


@pytest.mark.parametrize("state", STEPS)
def test_a_failed_step_has_a_cause_and_things_to_do_without_gaps(state: str) -> None:
    found = advise(code="UPD-200", state=state, outcome=Outcome.BROKEN, words=WORDS)
    assert found is not None
    says = [step.says for step in found.steps]
    assert len(says) == len(set(says))
    assert "Update Module" not in found.cause
    assert "{" not in "".join([found.cause, *says])
    assert any("install version 1.0.0 of billing anew" in text for text in says)


def test_what_is_not_about_patches_says_what_it_says_for_every_upgrade() -> None:
    found = advise(code="DEV-100", state=State.CHECKING, outcome=Outcome.FAILED, words=WORDS)
    assert found is not None
    assert "SSH server" in "".join(step.says for step in found.steps)
    assert "billing runs what it ran before" in found.steps[-1].says


def test_a_patch_that_went_well_needs_no_advice() -> None:
    assert advise(code="", state="", outcome=Outcome.SUCCEEDED, words=WORDS) is None
