"""`manage.py run update-module --data '{…}'`: module updates as NethServer's `api-cli` takes them."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError

from portal.cli.output import Output
from portal.cli.verb import Call, Verb
from portal.cli.watching import in_words, watch_order
from updates.api.module_orders import ModuleOrderDetailSerializer
from updates.errors import OrderInvalid
from updates.machine import Outcome
from updates.models import ModuleOrder
from updates.progress import counts
from updates.services.module_bulk import require_all_meant, update_modules
from updates.services.module_input import HOW_TO_MEAN, read_bulk, read_count, read_order
from updates.services.module_updates import order_module, require_instances_meant
from updates.services.repositories import catalogue

SOME_FAILED: Final = 2
INVALID: Final = 10
LARGEST_FILE: Final = 2**20


def order_arguments(parser: ArgumentParser) -> None:
    """Where the order is, why, and whether to stay."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--data", metavar="JSON", help="the order itself")
    where.add_argument(
        "--data-file", type=Path, metavar="FILE", help="a file with it; -: standard input"
    )
    parser.add_argument("--reason", default="", metavar="WHY", help="kept in the history")
    parser.add_argument(
        "--follow",
        action="store_true",
        help="until it is over, with its progress on standard error",
    )


def data_of(call: Call) -> Any:  # noqa: ANN401 - JSON
    """The order as it was given. OrderInvalid when it is no JSON."""
    text = call.words["data"] if call.words["data"] is not None else _read(call.words["data_file"])
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        fault = {"parameter": "", "error": "invalid_json", "value": text[:200], "field": "(root)"}
        raise OrderInvalid([fault]) from None
    if isinstance(data, dict) and call.words["reason"]:
        data["reason"] = call.words["reason"]
    return data


def refuse_invalid(error: OrderInvalid, call: Call) -> CommandError:
    """What is wrong was printed as a list, as NethServer's agents do; the status says that it was the input."""
    call.out.document(error.invalid)
    return CommandError(f"{error} [{error.code}]", returncode=INVALID)


def tell_orders(orders: list[ModuleOrder], call: Call) -> None:
    """The report was printed; with --follow once all is over. Status 2 when an instance failed or was left out."""
    if call.words["follow"]:
        progress = Output(sys.stderr, as_json=False)
        for order in orders:
            watch_order(order, out=progress)
    data = [ModuleOrderDetailSerializer(order).data for order in orders]
    call.out.document(data[0] if call.words["verb"] == "update-module" else data)
    amiss = [words for order in orders if (words := _amiss(order))]
    if amiss:
        raise CommandError(" ".join(amiss), returncode=SOME_FAILED)


def _amiss(order: ModuleOrder) -> str:
    found = counts(order)
    bad = sum(count for word, count in found.outcomes.items() if word != Outcome.SUCCEEDED)
    if bad:
        return f"{bad} of {found.total} instances did not get {order}: {in_words(found)}."
    return f"{len(order.left_out)} instances are left out." if order.left_out else ""


def _update_module(call: Call) -> None:
    try:
        data = data_of(call)
        wanted, reason = read_order(data)
    except OrderInvalid as error:
        raise refuse_invalid(error, call) from None
    require_instances_meant(wanted, said=read_count(data), how=HOW_TO_MEAN)
    tell_orders([order_module(wanted, actor=call.actor, reason=reason)], call)


def _update_modules(call: Call) -> None:
    try:
        data = data_of(call)
        bulk, reason = read_bulk(data)
    except OrderInvalid as error:
        raise refuse_invalid(error, call) from None
    packages = catalogue()
    require_all_meant(bulk, packages, said=read_count(data), how=HOW_TO_MEAN)
    orders = update_modules(bulk, packages, actor=call.actor, reason=reason)
    if not orders:
        call.out.document([])
        sys.stderr.write("Nothing matches that could be updated.\n")
        return
    tell_orders(orders, call)


def _read(path: Path) -> str:
    try:
        if str(path) == "-":
            return sys.stdin.read(LARGEST_FILE)
        with path.open(encoding="utf-8") as file:
            return file.read(LARGEST_FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}.") from None


VERBS: Final[Mapping[str, Verb]] = {
    "update-module": Verb(
        "update instances to a module image; status 10: the order cannot be read, 2: some did not get it",
        order_arguments,
        _update_module,
    ),
    "update-modules": Verb(
        "update what repositories offer something newer for, all of it or what the order names",
        order_arguments,
        _update_modules,
    ),
}
