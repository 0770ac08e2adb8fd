"""`manage.py module_order VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Final

from portal.cli import find
from portal.cli.find import short
from portal.cli.limit import limit_argument, shown
from portal.cli.reason import reason_argument
from portal.cli.verb import Call, Verb
from portal.cli.watching import in_words
from updates.api.module_orders import ModuleOrderDetailSerializer, ModuleOrderSerializer
from updates.models import ModuleOrder
from updates.progress import counts_of
from updates.services.module_updates import cancel_module_order


def _order_argument(parser: ArgumentParser) -> None:
    parser.add_argument("order", metavar="ID", help="the beginning of its id, 4 digits at least")


def _cancel_arguments(parser: ArgumentParser) -> None:
    _order_argument(parser)
    reason_argument(parser)


def _list(call: Call) -> None:
    call.actor.require("updates.view_moduleorder")
    rows = shown(ModuleOrder.objects.all(), call)
    if call.out.as_json:
        call.out.document(ModuleOrderSerializer(rows, many=True).data)
        return
    found = counts_of(rows)
    call.out.table(
        ("ID", "IMAGE", "INSTANCES", "ASKED", "BY"),
        (
            (short(row), row.image, in_words(found[row.pk]), row.created_at, row.requested_by_name)
            for row in rows
        ),
    )


def _show(call: Call) -> None:
    call.actor.require("updates.view_moduleorder")
    order = find.module_order(call.words["order"])
    if call.out.as_json:
        call.out.document(ModuleOrderDetailSerializer(order).data)
        return
    rows = order.upgrades.select_related("instance").order_by("created_at", "id")
    call.out.facts(
        (
            ("id", order.pk),
            ("image", order.image),
            ("instances", "\n".join(f"{row.instance}: {row.outcome or row.state}" for row in rows)),
            ("left out", "\n".join(f"{name}: {reason}" for name, reason in order.left_out)),
            ("asked by", order.requested_by_name),
            ("reason", order.reason),
            ("asked", order.created_at),
        )
    )


def _cancel(call: Call) -> None:
    order = find.module_order(call.words["order"])
    count = cancel_module_order(order=order, actor=call.actor, reason=call.words["reason"])
    if call.out.as_json:
        call.out.document({"cancelled": count})
    else:
        call.out.text(f"A cancel is on its way to {count} upgrades.")


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list orders of module images, newest first", limit_argument, _list),
    "show": Verb("show what became of each instance", _order_argument, _show),
    "cancel": Verb("cancel what of it can still be cancelled", _cancel_arguments, _cancel),
}
