"""`manage.py repository VERB`."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Mapping
from typing import Final

from portal.cli import find
from portal.cli.limit import limit_argument, shown
from portal.cli.reason import reason_argument
from portal.cli.verb import Call, Verb
from updates.api.repositories import RepositorySerializer
from updates.models import Repository
from updates.services.repositories import (
    add_repository,
    change_repository,
    remove_repository,
    request_fetch,
)

HEAD: Final = ("NAME", "ADDRESS", "ENABLED", "TESTING", "MODULES", "FETCHED", "ERROR")


def _name_argument(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="its name")


def _list(call: Call) -> None:
    call.actor.require("updates.view_repository")
    rows = shown(Repository.objects.select_related("added_by").defer("index"), call)
    if call.out.as_json:
        call.out.document(RepositorySerializer(rows, many=True).data)
        return
    call.out.table(
        HEAD,
        (
            (
                row.name, row.url, _yes(row.is_enabled), _yes(row.is_testing), row.packages,
                row.fetched_at or "never", row.error or "-",
            )
            for row in rows
        ),
    )  # fmt: skip


def _add_arguments(parser: ArgumentParser) -> None:
    _name_argument(parser)
    parser.add_argument("url", metavar="ADDRESS", help="where its repodata.json is: https://...")
    parser.add_argument("--testing", action="store_true", help="offer its pre-releases, too")


def _add(call: Call) -> None:
    words = call.words
    repository = add_repository(
        name=words["name"], url=words["url"], is_testing=words["testing"], actor=call.actor
    )
    _tell(call, repository, says=f"publishes {repository.packages} modules.")


def _change_arguments(parser: ArgumentParser) -> None:
    _name_argument(parser)
    parser.add_argument("--enabled", action=BooleanOptionalAction, help="offer what it publishes")
    parser.add_argument("--testing", action=BooleanOptionalAction, help="its pre-releases, too")


def _change(call: Call) -> None:
    found = find.repository(call.words["name"])
    enabled, testing = call.words["enabled"], call.words["testing"]
    repository = change_repository(
        repository=found,
        is_enabled=found.is_enabled if enabled is None else enabled,
        is_testing=found.is_testing if testing is None else testing,
        actor=call.actor,
    )
    _tell(call, repository, says="is changed.")


def _fetch(call: Call) -> None:
    repository = request_fetch(repository=find.repository(call.words["name"]), actor=call.actor)
    _tell(call, repository, says="is being fetched.")


def _remove_arguments(parser: ArgumentParser) -> None:
    _name_argument(parser)
    reason_argument(parser)


def _remove(call: Call) -> None:
    repository = find.repository(call.words["name"])
    data = RepositorySerializer(repository).data
    remove_repository(repository=repository, actor=call.actor, reason=call.words["reason"])
    if call.out.as_json:
        call.out.document(data)
    else:
        call.out.text(f"{repository} is removed.")


def _tell(call: Call, repository: Repository, *, says: str) -> None:
    if call.out.as_json:
        call.out.document(RepositorySerializer(repository).data)
    else:
        call.out.text(f"{repository} {says}")


def _yes(is_so: bool) -> str:  # noqa: FBT001 - a column
    return "yes" if is_so else "no"


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list the repositories of modules", limit_argument, _list),
    "add": Verb("add a repository, once its index was fetched", _add_arguments, _add),
    "change": Verb("enable or disable it, and its pre-releases", _change_arguments, _change),
    "fetch": Verb("have a worker fetch its index", _name_argument, _fetch),
    "remove": Verb("forget a repository", _remove_arguments, _remove),
}
