"""`manage.py upgrade VERB ID`: the verbs for one upgrade."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from portal.cli import find
from portal.cli.find import short
from portal.cli.output import Output
from portal.cli.reason import reason_argument
from portal.cli.verb import Call, Verb
from portal.cli.watching import ending, refuse_other_than_success, wait_for, watch_upgrade
from portal.core.actors import Actor
from updates.api.upgrades import UpgradeDetailSerializer
from updates.models import Upgrade
from updates.services.data_of import DataOf
from updates.services.force import force_cancel_upgrade
from updates.services.recover import recover_upgrade
from updates.services.upgrades import (
    cancel_upgrade,
    commit_upgrade,
    retry_upgrade,
    roll_back_upgrade,
)
from updates.services.waiting import waits_for


class Order(Protocol):
    """A service that takes an order about an upgrade, with a reason."""

    def __call__(self, *, upgrade: Upgrade, actor: Actor, reason: str) -> Upgrade: ...


def tell(upgrade: Upgrade, *, out: Output) -> None:
    """Where the upgrade stands, who asked for it and why."""
    if out.as_json:
        out.document(UpgradeDetailSerializer(upgrade).data)
        return
    ahead = waits_for(upgrade) if upgrade.started_at is None and not upgrade.finished_at else None
    out.facts(
        (
            ("id", upgrade.pk),
            ("device", upgrade.device),
            ("instance", upgrade.instance),
            ("from", upgrade.from_version),
            ("to", upgrade.to_version),
            ("state", f"{upgrade.get_state_display()} ({upgrade.progress} %)"),
            ("outcome", upgrade.get_outcome_display() if upgrade.outcome else ""),
            ("error", f"{upgrade.error} [{upgrade.error_code}]" if upgrade.error else ""),
            ("warning", upgrade.warning),
            ("waits for", f"{ahead} ({short(ahead)})" if ahead else ""),
            ("deployment", upgrade.deployment),
            ("asked by", upgrade.requested_by_name),
            ("reason", upgrade.reason),
            ("asked", upgrade.created_at),
            ("started", upgrade.started_at),
            ("finished", upgrade.finished_at),
        )
    )


def tell_new(upgrade: Upgrade, *, call: Call) -> None:
    """The ordered upgrade; with --wait, how it ended, and CommandError unless it succeeded."""
    if not call.words["wait"]:
        tell(upgrade, out=call.out)
        return
    if call.out.as_json:
        wait_for(upgrade)
        tell(upgrade, out=call.out)
    else:
        watch_upgrade(upgrade, out=call.out)
    refuse_other_than_success(upgrade)
    call.out.aside(ending(upgrade))


def wait_argument(parser: ArgumentParser) -> None:
    """--wait, for whoever needs to know how it ends."""
    parser.add_argument(
        "--wait", action="store_true", help="until it is over; status 1 unless it succeeds"
    )


def _upgrade_argument(parser: ArgumentParser) -> None:
    parser.add_argument("upgrade", metavar="ID", help="the beginning of its id, 4 digits at least")


def _with_reason(parser: ArgumentParser) -> None:
    _upgrade_argument(parser)
    reason_argument(parser)


def _ordering(parser: ArgumentParser) -> None:
    _with_reason(parser)
    wait_argument(parser)


def _show(call: Call) -> None:
    call.actor.require("updates.view_upgrade")
    tell(find.upgrade(call.words["upgrade"]), out=call.out)


def _watch(call: Call) -> None:
    call.actor.require("updates.view_upgrade")
    upgrade = find.upgrade(call.words["upgrade"])
    watch_upgrade(upgrade, out=call.out)
    refuse_other_than_success(upgrade)
    call.out.aside(ending(upgrade))


def _recover(call: Call) -> None:
    upgrade = find.upgrade(call.words["upgrade"])
    tell(recover_upgrade(upgrade=upgrade, actor=call.actor), out=call.out)


def _ending_it(order: Order) -> Callable[[Call], None]:
    def run(call: Call) -> None:
        upgrade = find.upgrade(call.words["upgrade"])
        tell(order(upgrade=upgrade, actor=call.actor, reason=call.words["reason"]), out=call.out)

    return run


def _making_one(order: Order) -> Callable[[Call], None]:
    def run(call: Call) -> None:
        upgrade = find.upgrade(call.words["upgrade"])
        new = order(upgrade=upgrade, actor=call.actor, reason=call.words["reason"])
        tell_new(new, call=call)

    return run


def _roll_back_arguments(parser: ArgumentParser) -> None:
    _ordering(parser)
    parser.add_argument(
        "--data-of",
        choices=[one.value for one in DataOf],
        help="of containers: those of before, from the backup, or those of now",
    )


def _roll_back(call: Call) -> None:
    upgrade, data = find.upgrade(call.words["upgrade"]), call.words["data_of"]
    undo = roll_back_upgrade(
        upgrade=upgrade,
        data=DataOf(data) if data else None,
        actor=call.actor,
        reason=call.words["reason"],
    )
    tell_new(undo, call=call)


VERBS: Final[Mapping[str, Verb]] = {
    "show": Verb("show where an upgrade stands", _upgrade_argument, _show),
    "watch": Verb(
        "print its events until it is over; status 1 unless it succeeds", _upgrade_argument, _watch
    ),
    "cancel": Verb(
        "stop it at its next safe point, or take it back", _with_reason, _ending_it(cancel_upgrade)
    ),
    "commit": Verb(
        "let it go on that holds before its commit", _with_reason, _ending_it(commit_upgrade)
    ),
    "retry": Verb("do the same again, as a new upgrade", _ordering, _making_one(retry_upgrade)),
    "rollback": Verb("take it back, by a new upgrade", _roll_back_arguments, _roll_back),
    "recover": Verb("put it back on the queue, if nobody holds it", _upgrade_argument, _recover),
    "force-cancel": Verb(
        "end it now, whatever its worker is doing; nothing on the device is undone",
        _with_reason,
        _ending_it(force_cancel_upgrade),
    ),
}
