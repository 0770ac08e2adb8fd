"""`manage.py release VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Final

from portal.cli import find
from portal.cli.limit import limit_argument, shown
from portal.cli.output import Output
from portal.cli.reason import reason_argument
from portal.cli.verb import Call, Verb
from updates.api.releases import ReleaseSerializer
from updates.models import Release
from updates.queries import installed_on
from updates.services.releases import (
    delete_release,
    edit_release,
    restore_release,
    tags_of,
    withdraw_release,
)


def _list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--tag", help="only those with this tag")
    limit_argument(parser)


def _list(call: Call) -> None:
    call.actor.require("updates.view_release")
    found = Release.objects.prefetch_related("tags", "artifacts").select_related("created_by")
    if call.words["tag"]:
        found = found.filter(tags__word=call.words["tag"])
    rows = shown(found, call)
    if call.out.as_json:
        call.out.document(ReleaseSerializer(rows, many=True).data)
        return
    counts = installed_on(row.name for row in rows)
    call.out.table(
        ("NAME", "DEVICE TYPES", "TAGS", "STATE", "INSTALLED ON", "SINCE"),
        (
            (
                row.name,
                _types(row),
                tags_of(row),
                "withdrawn" if row.withdrawn_at else "",
                counts.get(row.name, 0),
                row.created_at,
            )
            for row in rows
        ),
    )


def _release_argument(parser: ArgumentParser) -> None:
    parser.add_argument("release", help="its name")


def _with_reason(parser: ArgumentParser) -> None:
    _release_argument(parser)
    reason_argument(parser)


def _edit_arguments(parser: ArgumentParser) -> None:
    _release_argument(parser)
    parser.add_argument("--notes", help="instead of those that there are")
    parser.add_argument(
        "--tag", action="append", metavar="WORD", help="again for more; instead of all there are"
    )
    parser.add_argument("--no-tags", action="store_true", help="take all tags off")


def _show(call: Call) -> None:
    call.actor.require("updates.view_release")
    tell(find.release(call.words["release"]), out=call.out)


def _edit(call: Call) -> None:
    call.actor.require("updates.change_release")
    release, words = find.release(call.words["release"]), call.words
    tags = [] if words["no_tags"] else words["tag"]
    edited = edit_release(
        release=release,
        notes=release.notes if words["notes"] is None else words["notes"],
        tags=tags_of(release) if tags is None else tags,
        actor=call.actor,
    )
    tell(edited, out=call.out)


def _changed(act: Callable[..., Release]) -> Callable[[Call], None]:
    """A verb that asks for a reason and shows the release afterwards."""

    def run(call: Call) -> None:
        release, reason = find.release(call.words["release"]), call.words["reason"]
        tell(act(release=release, actor=call.actor, reason=reason), out=call.out)

    return run


def _delete(call: Call) -> None:
    release = find.release(call.words["release"])
    name, data = release.name, ReleaseSerializer(release).data
    delete_release(release=release, actor=call.actor, reason=call.words["reason"])
    if call.out.as_json:
        call.out.document(data)
    else:
        call.out.text(f"{name} is gone.")


def tell(release: Release, *, out: Output) -> None:
    """The release and its artifacts."""
    if out.as_json:
        out.document(ReleaseSerializer(release).data)
        return
    artifacts = [
        f"{find.short(row)} {row.payload_type} for {', '.join(row.device_types)}"
        for row in release.artifacts.all()
    ]
    withdrawn = f"by {release.withdrawn_by}: {release.withdrawn_reason}"
    out.facts(
        (
            ("name", release.name),
            ("artifacts", "\n".join(artifacts)),
            ("tags", tags_of(release)),
            ("installed on", f"{installed_on([release.name]).get(release.name, 0)} devices"),
            ("withdrawn", withdrawn if release.withdrawn_at else ""),
            ("since", release.created_at),
            ("notes", release.notes),
        )
    )


def _types(release: Release) -> list[str]:
    return sorted({word for row in release.artifacts.all() for word in row.device_types})


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list releases, newest first", _list_arguments, _list),
    "show": Verb("show a release and its artifacts", _release_argument, _show),
    "edit": Verb("change a release's notes and tags", _edit_arguments, _edit),
    "withdraw": Verb("take no new orders for a release", _with_reason, _changed(withdraw_release)),
    "restore": Verb("take orders for it again", _with_reason, _changed(restore_release)),
    "delete": Verb("delete a release that no device ever got", _with_reason, _delete),
}
