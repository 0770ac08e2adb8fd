"""What happens when several ask or decide in the same moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from devices.auth_request import AuthRequest, read_device_key
from devices.errors import NotLetIn
from devices.models import AuthSet, Device, DeviceIdentity
from devices.services.asking import let_in
from devices.services.enrolment import accept
from portal.core.actors import PORTAL
from portal.core.errors import Conflict, Refused
from tests.pulled.pretend import PretendDevice, fresh_key, public_text

pytestmark = pytest.mark.database(transaction=True)

MAC = {"mac": "02:00:00:00:00:01"}
ROUNDS = 5


def at_once(*acts: Callable[[], object]) -> list[object]:
    """All of them begin together, each with a connection of its own; what they gave, or how they were refused."""
    start = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        try:
            start.wait()
            return act()
        except (NotLetIn, Refused) as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


def test_one_device_that_asks_several_times_at_once_is_on_the_list_once() -> None:
    for number in range(ROUNDS):
        asked = AuthRequest({"serial": str(number)}, read_device_key(public_text(fresh_key())))
        answers = at_once(*[lambda: let_in(asked)] * 4)  # noqa: B023 - they end before the next round
        assert all(isinstance(answer, NotLetIn) for answer in answers)
        assert AuthSet.objects.count() == DeviceIdentity.objects.count() == number + 1


def test_two_keys_of_one_device_that_are_accepted_at_once_are_one_device_with_one_key() -> None:
    for _ in range(ROUNDS):
        for _key in range(2):
            PretendDevice(MAC).ask()
        acts = [
            lambda one=one: accept(auth_set=one, actor=PORTAL)
            for one in AuthSet.objects.filter(status="pending")
        ]
        answers = at_once(*acts)
        assert all(isinstance(answer, Device | Conflict) for answer in answers), answers
        assert AuthSet.objects.filter(status="accepted").count() == 1
        assert Device.objects.count() == 1
        AuthSet.objects.all().delete()


def test_two_devices_that_want_one_name_are_accepted_at_once_or_one_is_asked_to_wait() -> None:
    for number in range(ROUNDS):
        for site in "ab":
            PretendDevice({"name": f"box{number}", "site": site}).ask()
        acts = [
            lambda one=one: accept(auth_set=one, actor=PORTAL)
            for one in AuthSet.objects.filter(status="pending")
        ]
        answers = at_once(*acts)
        assert all(isinstance(answer, Device | Conflict) for answer in answers), answers
        for one in AuthSet.objects.filter(status="pending"):
            accept(auth_set=one, actor=PORTAL)
        assert Device.objects.count() == 2 * (number + 1)
