"""A person's rollback of watched containers: whose data they have then is said, and chosen by nobody else."""

from __future__ import annotations

import pytest

from portal.core.actors import PORTAL
from portal.core.errors import Refused
from tests.watching.rows import over, upgraded, watched
from updates.errors import NotUndoable
from updates.models import Upgrade
from updates.services.data_of import DataOf
from updates.services.upgrades import retry_upgrade, roll_back_upgrade

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]
WHY = "It is slow"


@pytest.mark.parametrize("data", DataOf)
def test_the_data_of_before_or_those_of_now_are_chosen_and_chosen_again_by_a_retry(
    data: DataOf,
) -> None:
    done = upgraded(watched("shop"))
    wanted = done.facts["backup"]["path"] if data is DataOf.BEFORE else ""
    with pytest.raises(Refused, match="Say which data"):
        roll_back_upgrade(upgrade=done, actor=PORTAL, reason=WHY)
    undo = roll_back_upgrade(upgrade=done, data=data, actor=PORTAL, reason=WHY)
    assert (undo.plan["kept_of"], undo.plan["data_from"]) == (str(done.pk), wanted)
    over(undo, "failed", {})
    assert retry_upgrade(upgrade=undo, actor=PORTAL, reason=WHY).plan["data_from"] == wanted


def test_without_a_backup_there_is_no_choice() -> None:
    done = upgraded(watched("shop"), backup=None)
    with pytest.raises(NotUndoable, match="no backup"):
        roll_back_upgrade(upgrade=done, data=DataOf.BEFORE, actor=PORTAL, reason=WHY)
    undo = roll_back_upgrade(upgrade=done, actor=PORTAL, reason=WHY)
    assert undo.plan["data_from"] == ""


@pytest.mark.parametrize("plan", [{}, {"image": "shop:1"}], ids=["none", "no plan"])
def test_what_never_had_a_plan_cannot_be_tried_again_and_says_why(plan: dict[str, str]) -> None:
    made = upgraded(watched("shop"))
    over(made, "failed", {})
    Upgrade.objects.update(plan=plan)
    made.refresh_from_db()
    with pytest.raises(Refused, match="order a new one"):
        retry_upgrade(upgrade=made, actor=PORTAL, reason=WHY)
