"""The page on which an upgrade of containers is taken back: whose data they have then is said, and chosen."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from portal.core import clock
from portal.core.actors import PORTAL
from tests.watching.rows import upgraded, watched
from updates.errors import NotUndoable
from updates.models import Backup, Upgrade
from updates.services.data_of import DataOf
from updates.services.upgrades import roll_back_upgrade

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]
WHY = "It is slow"


def test_of_a_backup_that_is_gone_the_page_says_so_and_offers_the_data_of_now(
    operator: Client,
) -> None:
    done = upgraded(watched("shop"))
    Backup.objects.update(deleted_at=clock.now())
    with pytest.raises(NotUndoable, match="not on the device any more"):
        roll_back_upgrade(upgrade=done, data=DataOf.BEFORE, actor=PORTAL, reason=WHY)
    where = f"/updates/upgrade/{done.pk}/roll-back/"
    shown = operator.get(where).content.decode()
    assert "not on the device any more" in shown
    assert ('value="before"' in shown, 'value="now"' in shown) == (False, True)
    assert operator.post(where, {"data_of": "now", "reason": WHY}).status_code == 302
    assert Upgrade.objects.get(undoes=done).plan["data_from"] == ""


def test_the_page_says_how_old_the_backup_is_and_has_somebody_choose(
    operator: Client,
) -> None:
    done = upgraded(watched("shop"))
    where = f"/updates/upgrade/{done.pk}/roll-back/"
    shown = operator.get(where).content.decode()
    for words in ("2\xa0days ago", "LOST", "the data of now are backed up first", 'value="before"'):
        assert words in shown
    assert not re.search(r"\schecked[\s>]", shown)
    assert "PORTAL ITSELF" not in shown
    assert operator.post(where, {"reason": WHY}).status_code == 422
    assert operator.post(where, {"data_of": "before", "reason": WHY}).status_code == 302
    assert Upgrade.objects.get(undoes=done).plan["data_from"] == done.facts["backup"]["path"]


def test_of_the_portal_itself_it_is_said_louder(operator: Client) -> None:
    done = upgraded(watched("shop"))
    Upgrade.objects.update(executor="watchdog")
    shown = operator.get(f"/updates/upgrade/{done.pk}/roll-back/").content.decode()
    assert "IT IS THE PORTAL ITSELF" in shown
    assert "the history and the audit log" in shown


def test_what_never_had_a_plan_has_a_retry_that_is_off_and_says_why(operator: Client) -> None:
    made = upgraded(watched("shop"))
    Upgrade.objects.update(plan={}, outcome="failed", error="IMAGE_NAME is not set.")
    shown = operator.get(f"/updates/upgrade/{made.pk}/change/").content.decode()
    assert "It never had a plan that could be tried again" in shown
    assert f"/updates/upgrade/{made.pk}/retry/" not in shown
