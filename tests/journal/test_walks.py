"""The journal in the database and the one in memory tell the same story of the same walk."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.journal.rows import arrows, held, new_artifact, new_upgrade, numbers
from tests.machine.memory_journal import MemoryJournal
from tests.machine.test_walks import WAYS_TO_END, ScriptedRecipe
from updates.machine import Outcome
from updates.runner import advance

pytestmark = pytest.mark.database

ways = st.sampled_from(sorted(set(WAYS_TO_END) - {"crash"}))


@given(script=st.lists(ways, max_size=30), then=ways)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_both_journals_tell_the_same_story(script: list[str], then: str) -> None:
    memory = MemoryJournal()
    advance(memory, ScriptedRecipe(iter(script), then))
    upgrade = new_upgrade(artifact=new_artifact())
    advance(held(upgrade), ScriptedRecipe(iter(script), then))

    upgrade.refresh_from_db()
    assert arrows(upgrade)[1:] == [(t.state, t.event, t.to) for t in memory.history]
    assert (upgrade.outcome, upgrade.repeats) == (memory.outcome, memory.repeats)
    assert (upgrade.progress, bool(upgrade.warning)) == (100, memory.warning is not None)
    assert numbers(upgrade) == list(range(1, upgrade.last_seq + 1))
    assert bool(upgrade.error) or upgrade.outcome not in (Outcome.FAILED, Outcome.BROKEN)
