"""What is said when the upgrade of a watched container went wrong."""

from __future__ import annotations

import pytest

from updates.advice import CODES, OURS
from updates.container_advice import OUTCOMES, STEPS, advise
from updates.machine import Outcome, State

WORDS = {"device": "box-1", "work": "/w", "modules": "/m", "module": "", "instance": "shop1"}
QUIET = {State.PENDING, State.FINISHED, State.COMMITTED, State.FAILING}
"""Where no step of a container upgrade does anything, or nothing that can fail."""


def test_every_state_in_which_a_step_can_fail_has_a_row_and_every_outcome_its_last_word() -> None:
    assert set(STEPS) == {state.value for state in State} - QUIET
    assert set(OUTCOMES) == set(Outcome)


@pytest.mark.parametrize("state", [*State])
@pytest.mark.parametrize("code", [*OURS, "DEV-416", "DEV-430"])
def test_an_advice_names_the_instance_and_leaves_no_gap(code: str, state: State) -> None:
    found = advise(code=code, state=state, outcome=Outcome.BROKEN, words=WORDS)
    assert found is not None
    says = [found.cause, *(step.says for step in found.steps)]
    assert all(text[-1] in ".)" for text in says)
    assert "{" not in "".join([*says, *(step.command for step in found.steps)])
    assert any("shop1" in text for text in says)


def test_of_a_gate_that_did_not_open_everybody_says_the_same() -> None:
    assert (
        advise(code="DEV-430", state=State.VERIFYING, outcome=None, words=WORDS) == CODES["DEV-430"]
    )
