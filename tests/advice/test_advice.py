"""What an operator is told about a failure: nothing that can fail is without a word."""

from __future__ import annotations

import re

import pytest

import devices.errors
import updates.errors
from portal.core.errors import FleetwrightError
from tests.architecture.source import modules
from updates.advice import CODES, OUTCOMES, STEPS, advise
from updates.machine import Outcome, State

WORDS = {"device": "box-1", "work": "/var/lib/fleetwright", "modules": "/m", "module": "web-file"}


def _codes(error: type[FleetwrightError]) -> set[str]:
    return {error.code}.union(*(_codes(child) for child in error.__subclasses__()))


def test_every_error_of_devices_and_upgrades_has_a_row() -> None:
    assert devices.errors.DeviceError in FleetwrightError.__subclasses__()
    assert updates.errors.StepFailed in FleetwrightError.__subclasses__()
    codes = {code for code in _codes(FleetwrightError) if re.match("(FW|DEV|UPD)-", code)}
    assert sorted(codes - set(CODES)) == []


def test_every_code_that_the_source_names_has_a_row() -> None:
    named = {
        code
        for path in modules()
        for code in re.findall(r'"((?:DEV|UPD)-\d\d\d)"', path.read_text())
    }
    assert len(named) > 10
    assert sorted(named - set(CODES)) == []


def test_a_step_that_failed_has_a_row_for_each_state_with_steps() -> None:
    assert set(STEPS) == {state.value for state in State} - {State.PENDING, State.FINISHED}


def test_every_outcome_says_how_the_device_is_left() -> None:
    assert set(OUTCOMES) == set(Outcome)


@pytest.mark.parametrize("code", [*CODES, "UPD-999"])
def test_an_advice_has_a_cause_and_steps_without_gaps(code: str) -> None:
    for state in State:
        found = advise(code=code, state=state, outcome=Outcome.BROKEN, words=WORDS)
        assert found is not None
        assert found.cause.endswith(".")
        says = [step.says for step in found.steps]
        assert len(says) == len(set(says))
        assert all(text[-1] in ".)" for text in says)
        assert "{" not in "".join([found.cause, *says, *(step.command for step in found.steps)])


def test_the_same_code_says_another_thing_in_another_state() -> None:
    def cause(state: State) -> str:
        found = advise(code="UPD-200", state=state, outcome=Outcome.BROKEN, words=WORDS)
        return found.cause if found else ""

    assert cause(State.DOWNLOADING) != cause(State.ROLLING_BACK)


def test_a_cancelled_upgrade_has_steps_but_no_cause() -> None:
    found = advise(code="", state="", outcome=Outcome.CANCELLED, words=WORDS)
    assert found is not None
    assert found.cause == ""
    assert "box-1" in found.steps[0].says


def test_an_upgrade_that_went_well_needs_no_advice() -> None:
    assert advise(code="", state="", outcome=Outcome.SUCCEEDED, words=WORDS) is None
