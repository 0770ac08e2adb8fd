"""Instances that come and go: what is on record before anything is done on the device, and after."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from devices.models import Device
from portal.core.actors import PORTAL
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.journal.rows import new_device
from tests.modules.rows import (
    NEW,
    NEW_DIGEST,
    SOURCE,
    broke,
    failed,
    new_instance,
    operator,
    order,
    succeeded,
    upgrade_of,
)
from tests.services.people import somebody
from updates.errors import NotUndoable, TargetBusy
from updates.models import Installation, Instance, Module, Upgrade
from updates.plan import ModulePlan, ModuleVerb
from updates.services.installing import NewInstance, adopt, install_module, uninstall_module
from updates.services.modules import save_instance
from updates.services.ports import FIRST, LAST, free_block, port_variables
from updates.services.upgrades import retry_upgrade, roll_back_upgrade
from updates.services.waiting import waits_for

pytestmark = pytest.mark.database


def install(*, device: Device | None = None, **words: Any) -> Upgrade:  # noqa: ANN401
    device = device or new_device("home")
    given: dict[str, Any] = {"image": NEW, "device": device} | words
    return install_module(NewInstance(**given), actor=PORTAL, reason="A new site")


def plan_of(upgrade: Upgrade) -> ModulePlan:
    return ModulePlan.from_json(upgrade.plan)


def test_a_new_instance_is_on_record_and_an_upgrade_installs_it() -> None:
    upgrade = install(tcp_ports=2, udp_ports=1)
    instance, plan = Instance.objects.get(), plan_of(upgrade)
    made = instance.installation

    assert (instance.name, instance.version) == ("mymodule1", "")
    assert instance.module.source == SOURCE
    assert (made.image, made.user, made.install_dir, made.rootfull) == (
        "", "mymodule1", "/home/mymodule1/.config", False,
    )  # fmt: skip
    assert (plan.verb, plan.image, plan.installed.image) == (ModuleVerb.INSTALL, NEW, "")
    assert (upgrade.instance, upgrade.from_version, upgrade.to_version) == (instance, "", NEW)
    assert plan.environment.pop("MODULE_UUID").count("-") == 4
    assert plan.environment == {
        "MODULE_ID": "mymodule1", "NODE_ID": str(upgrade.device_id),
        "TCP_PORT": "20000", "TCP_PORTS": "20000,20001", "TCP_PORTS_RANGE": "20000-20001",
        "UDP_PORT": "20000", "UDP_PORTS": "20000",
    }  # fmt: skip
    entry = AuditEvent.objects.get()
    assert (entry.action, entry.reason) == ("module.install", "A new site")

    succeeded(upgrade)
    instance.refresh_from_db()
    assert (instance.version, instance.installation.image) == ("1.1.0", NEW)
    with pytest.raises(NotUndoable, match="uninstall"):
        roll_back_upgrade(upgrade=upgrade, actor=PORTAL, reason="Not wanted")


def test_a_rootfull_one_belongs_to_root() -> None:
    upgrade = install(rootfull=True)
    made = upgrade.instance.installation  # type: ignore[union-attr]
    assert (made.user, made.install_dir) == ("root", "/var/lib/nethserver/mymodule1")


def test_numbers_are_given_once_whatever_became_of_those_before() -> None:
    new_instance("mymodule7")
    new_instance("mymodule12", uninstalled_at=Instance.objects.get().created_at)
    new_instance("mymodule-old", source="ghcr.io/nethserver/mymodule-old")
    upgrade = install()
    assert upgrade.instance is not None
    assert upgrade.instance.name == "mymodule13"


def test_on_a_busy_device_it_waits() -> None:
    device = new_device("home")
    first = install(device=device)
    new = NewInstance(image=NEW, device=device)
    second = install_module(new, actor=PORTAL, reason="Another")
    assert waits_for(second) == first


def test_ports_are_not_given_twice_on_a_device_until_their_instance_is_gone() -> None:
    device = new_device("home")
    first = install(device=device, tcp_ports=10)
    new = NewInstance(image=NEW, device=device, tcp_ports=1)
    second = install_module(new, actor=PORTAL, reason="Another")
    assert plan_of(second).environment["TCP_PORT"] == "20010"
    assert "TCP_PORTS" not in plan_of(first).environment, "of more than 8 there is only the range"
    elsewhere = NewInstance(image=NEW, device=new_device("away"), tcp_ports=1)
    third = install_module(elsewhere, actor=PORTAL, reason="Another")
    assert plan_of(third).environment["TCP_PORT"] == "20000"
    Installation.objects.filter(instance=first.instance).update(uninstalled_at=first.created_at)
    fourth = install_module(new, actor=PORTAL, reason="Another")
    assert plan_of(fourth).environment["TCP_PORT"] == "20000"


def test_a_block_of_ports_fits_into_the_first_gap() -> None:
    assert free_block([], 3) == FIRST
    assert free_block([(FIRST + 5, 2), (FIRST, 2)], 3) == FIRST + 2
    assert free_block([(FIRST + 5, 2), (FIRST, 2)], 4) == FIRST + 7
    assert free_block([(FIRST, LAST - FIRST)], 1) == LAST
    with pytest.raises(Refused, match="no 2 ports in a row"):
        free_block([(FIRST, LAST - FIRST)], 2)
    assert port_variables("TCP", None, 0) == {}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"image": "A B"}, "not the name of an image"),
        ({"user": "root"}, "belongs to root"),
        ({"rootfull": True, "user": "somebody"}, "belongs to root"),
        ({"install_dir": "/home/../etc"}, "absolute path"),
        ({"install_dir": "relative"}, "absolute path"),
        ({"install_dir": "/"}, "may be the system's own"),
        ({"install_dir": "/etc/"}, "may be the system's own"),
        ({"install_dir": "/usr/lib"}, "may be the system's own"),
        ({"rootfull": True, "install_dir": "/var/lib"}, "may be the system's own"),
        ({"image": "ghcr.io/other/mymodule:1"}, "known to come from"),
        ({"install_dir": "/home/mymodule5/.config"}, "mymodule5 is installed in"),
        ({"install_dir": "/home/mymodule5/.config/inner"}, "mymodule5 is installed in"),
        ({"user": "mymodule5", "install_dir": "/srv/a/b"}, "mymodule5 is the user of mymodule5"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(words: dict[str, Any], says: str) -> None:
    there = new_instance("mymodule5")
    with pytest.raises(Refused, match=says):
        install(device=there.device, **words)
    assert Instance.objects.get() == there
    assert not Upgrade.objects.exists()


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"name": "a b"}, "name"), ({"name": "mymodule5"}, "name"), ({"user": "a b"}, "user"),
        ({"name": "mail"}, "name"),
    ],
)  # fmt: skip
def test_a_word_that_cannot_be_is_refused_by_its_field(words: dict[str, Any], field: str) -> None:
    new_instance("mymodule5")
    with pytest.raises(ValidationError) as refused:
        install(**words)
    assert list(refused.value.message_dict) == [field]
    assert Installation.objects.count() == 1


def test_an_installation_that_failed_is_retried_with_the_same_words() -> None:
    first = install(tcp_ports=1)
    failed(first)
    actor = somebody("otto", "retry_upgrade")
    again = retry_upgrade(upgrade=first, actor=actor, reason="The registry is back")
    assert plan_of(again).environment == plan_of(first).environment
    with pytest.raises(TargetBusy, match="is busy"):
        order(upgrade_of_instance(first), actor=PORTAL)


def upgrade_of_instance(upgrade: Upgrade) -> Instance:
    assert upgrade.instance is not None
    Installation.objects.filter(instance=upgrade.instance).update(image=NEW)
    return upgrade.instance


def test_who_may_not_installs_and_uninstalls_nothing() -> None:
    vera = somebody("vera", "view_instance")
    device = new_device("home")
    with pytest.raises(NotPermitted):
        install_module(NewInstance(image=NEW, device=device), actor=vera, reason="Why not")
    with pytest.raises(NotPermitted):
        uninstall_module(instance=new_instance(), actor=vera, reason="Why not")
    assert not Upgrade.objects.exists()


def test_an_uninstalled_instance_stays_on_record_and_gets_nothing_any_more() -> None:
    one = new_instance()
    actor = operator()
    upgrade = uninstall_module(instance=one, actor=actor, reason="The site is closed")
    assert upgrade is not None
    assert (plan_of(upgrade).verb, upgrade.to_version) == (ModuleVerb.UNINSTALL, "")
    with pytest.raises(TargetBusy, match="is busy"):
        uninstall_module(instance=one, actor=actor, reason="Twice")
    succeeded(upgrade, image="", version="")
    made = Installation.objects.get(instance=one)
    assert made.uninstalled_at is not None
    assert (made.image, made.digest, made.images) == ("", "", [])
    with pytest.raises(Refused, match="uninstalled already"):
        uninstall_module(instance=one, actor=actor, reason="Twice")
    one.refresh_from_db()
    with pytest.raises(Refused, match="It is uninstalled"):
        order(one, actor=actor)
    with pytest.raises(NotUndoable, match="install it again"):
        roll_back_upgrade(upgrade=upgrade, actor=PORTAL, reason="Oh")


def test_what_an_installation_that_broke_left_can_be_uninstalled() -> None:
    upgrade = install()
    broke(upgrade)
    assert upgrade.instance is not None
    gone = uninstall_module(instance=upgrade.instance, actor=PORTAL, reason="A mess")
    assert gone is not None
    assert plan_of(gone).image == NEW


def test_what_stands_there_already_is_taken_under_control() -> None:
    one = new_instance()
    one.installation.delete()
    one = Instance.objects.get()
    Module.objects.update(source="")
    new = NewInstance(image=f"{SOURCE}:1.0.3", device=one.device)
    with pytest.raises(NotPermitted):
        adopt(instance=one, new=new, actor=somebody("vera"), reason="It is ours")
    adopt(instance=one, new=new, actor=operator(), reason="It is ours")
    one = Instance.objects.get()
    assert (one.version, one.installation.image) == ("1.0.3", f"{SOURCE}:1.0.3")
    assert (one.module.source, one.installation.user) == (SOURCE, "mymodule1")
    assert not Upgrade.objects.exists()
    with pytest.raises(Refused, match="under control already"):
        adopt(instance=one, new=new, actor=PORTAL, reason="It is ours")
    order(one, actor=PORTAL)
    assert upgrade_of(one).to_version == NEW


def test_no_two_names_on_a_device_can_be_taken_for_one_another() -> None:
    there = new_instance("mail1-web2", source="ghcr.io/nethserver/mail")
    for name in ("mail1", "mail1-web2-a3"):
        with pytest.raises(ValidationError, match="taken for one another"):
            install(device=there.device, name=name)
    install(device=new_device("elsewhere"), name="mail1")
    install(device=there.device, name="mail11")
    there.installation.delete()
    there = Instance.objects.get(pk=there.pk)
    there.name = "mail"
    there.save()
    with pytest.raises(ValidationError, match="ends with a digit"):
        adopt(
            instance=there, actor=PORTAL, reason="It is ours",
            new=NewInstance(image="ghcr.io/nethserver/mail:1.0.0", device=there.device),
        )  # fmt: skip


def test_a_folder_around_anothers_is_refused() -> None:
    there = new_instance("mymodule5", install_dir="/srv/apps/all/mine")
    with pytest.raises(Refused, match="mymodule5 is installed in"):
        install(device=there.device, install_dir="/srv/apps/all")
    install(device=there.device, install_dir="/srv/apps/all/mine2")


def test_an_instance_keeps_the_name_by_which_its_device_knows_it() -> None:
    one = new_instance()
    one.name = "shop1"
    with pytest.raises(ValidationError, match="called so on its device"):
        save_instance(instance=one, actor=PORTAL)
    Installation.objects.update(uninstalled_at=one.created_at)
    save_instance(instance=one, actor=PORTAL)
    assert Instance.objects.get().name == "shop1"


def test_what_never_began_on_the_device_is_only_taken_off_the_record() -> None:
    upgrade = install()
    failed(upgrade)
    assert upgrade.instance is not None
    assert uninstall_module(instance=upgrade.instance, actor=PORTAL, reason="A typo") is None
    assert Installation.objects.get().uninstalled_at is not None
    assert Upgrade.objects.count() == 1
    assert AuditEvent.objects.get(action="module.uninstall").data == {"record_only": True}
    with pytest.raises(Refused, match="uninstalled"):
        retry_upgrade(upgrade=upgrade, actor=PORTAL, reason="After all")


def test_an_uninstall_that_left_something_behind_can_be_done_again() -> None:
    one = new_instance()
    first = uninstall_module(instance=one, actor=PORTAL, reason="The site is closed")
    assert first is not None
    succeeded(first, image="", version="")
    Upgrade.objects.filter(pk=first.pk).update(warning="The folder could not be removed.")
    again = uninstall_module(instance=one, actor=PORTAL, reason="The rest")
    assert again is not None
    assert plan_of(again).image == f"{SOURCE}:1.0.0"


def test_a_retry_of_what_was_overridden_takes_the_permission_again() -> None:
    one = new_instance()
    other = "ghcr.io/nethserver/wiki:2.0.0"
    upgrade = order(
        one, actor=operator("override_module"), image=other, overrides=True
    ).upgrades.get()
    failed(upgrade)
    with pytest.raises(NotPermitted, match="override_module"):
        retry_upgrade(upgrade=upgrade, actor=somebody("otto", "retry_upgrade"), reason="Again")


def test_a_rollback_puts_back_the_data_that_was_kept_whatever_the_settings_say_now() -> None:
    one = new_instance(keeps_data=True, volumes=["data"])
    upgrade = succeeded(order(one).upgrades.get())
    Upgrade.objects.filter(pk=upgrade.pk).update(facts={**upgrade.facts, "kept": True})
    Installation.objects.update(keeps_data=False, volumes=[])
    upgrade.refresh_from_db()
    plan = plan_of(roll_back_upgrade(upgrade=upgrade, actor=PORTAL, reason="It is slow"))
    assert (plan.verb, plan.keeps_data, plan.volumes) == (ModuleVerb.RESTORE, True, ["data"])


def test_an_order_is_planned_from_what_is_there_when_it_is_made() -> None:
    one = Instance.objects.select_related("module", "device", "installation").get(
        pk=new_instance().pk
    )
    Installation.objects.update(keeps_data=True, digest=NEW_DIGEST)
    plan = plan_of(order(one).upgrades.get())
    assert (plan.keeps_data, plan.installed.digest) == (True, NEW_DIGEST)
