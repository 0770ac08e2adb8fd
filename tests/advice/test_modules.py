"""What is said when a module update went wrong."""

from __future__ import annotations

import pytest

from updates.advice import CODES, OURS
from updates.machine import Outcome, State
from updates.module_advice import OUTCOMES, STEPS, advise

WORDS = {"device": "box-1", "work": "/w", "modules": "/m", "module": "", "instance": "mymodule1"}
QUIET = {State.PENDING, State.FINISHED, State.COMMITTED, State.FAILING}
"""Where no step of a module update does anything, or nothing that can fail."""


def test_every_state_in_which_a_step_can_fail_has_a_row_and_every_outcome_its_last_word() -> None:
    assert set(STEPS) == {state.value for state in State} - QUIET
    assert set(OUTCOMES) == set(Outcome)


@pytest.mark.parametrize("state", [*State])
@pytest.mark.parametrize("code", [*OURS, "DEV-416", "DEV-430", "UPD-120"])
def test_an_advice_names_the_instance_and_leaves_no_gap(code: str, state: State) -> None:
    found = advise(code=code, state=state, outcome=Outcome.BROKEN, words=WORDS)
    assert found is not None
    says = [found.cause, *(step.says for step in found.steps)]
    assert all(text[-1] in ".)" for text in says)
    assert "{" not in "".join([*says, *(step.command for step in found.steps)])
    assert any("mymodule1" in text for text in says)


def test_of_a_failed_step_modules_know_more_and_of_engines_everybody_the_same() -> None:
    script = advise(code="UPD-200", state=State.INSTALLING, outcome=None, words=WORDS)
    assert script is not None
    assert "script" in script.cause
    pull = advise(code="DEV-416", state=State.DOWNLOADING, outcome=None, words=WORDS)
    assert pull == CODES["DEV-416"]
