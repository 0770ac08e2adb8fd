"""`manage.py module VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Final

from patches.api.modules import ModuleSerializer
from portal.cli.limit import limit_argument, shown
from portal.cli.output import Output
from portal.cli.verb import Call, Verb
from updates.models import Module
from updates.services.modules import save_module


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("module", metavar="NAME")
    parser.add_argument(
        "--runtime",
        choices=Module.Runtime.values,
        default="",
        help="what its processes are made of, where they take hot patches",
    )
    parser.add_argument(
        "--source", default="", metavar="IMAGE", help="where its images are, without a tag"
    )
    parser.add_argument("--notes", default="")


def _list(call: Call) -> None:
    call.actor.require("updates.view_module")
    rows = shown(Module.objects.all(), call)
    if call.out.as_json:
        call.out.document(ModuleSerializer(rows, many=True).data)
        return
    call.out.table(
        ("NAME", "RUNTIME", "SOURCE", "NOTES"),
        ((row.name, row.runtime, row.source, row.notes) for row in rows),
    )


def _add(call: Call) -> None:
    words = call.words
    module = Module(
        name=words["module"], runtime=words["runtime"], source=words["source"], notes=words["notes"]
    )
    _tell(save_module(module=module, actor=call.actor), out=call.out)


def _tell(module: Module, *, out: Output) -> None:
    if out.as_json:
        out.document(ModuleSerializer(module).data)
        return
    out.facts(
        (
            ("name", module.name),
            ("runtime", module.runtime),
            ("source", module.source),
            ("notes", module.notes),
        )
    )


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list modules by name", limit_argument, _list),
    "add": Verb("add a module", _add_arguments, _add),
}
