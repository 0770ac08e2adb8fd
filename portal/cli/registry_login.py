"""`manage.py registry_login VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Final

from devices.api.engines import RegistryLoginSerializer
from devices.models import RegistryLogin
from devices.services.engine_settings import delete_registry_login, save_registry_login
from portal.cli import find
from portal.cli.limit import limit_argument, shown
from portal.cli.reason import reason_argument
from portal.cli.secret import HELP, text_of
from portal.cli.verb import Call, Verb


def _list(call: Call) -> None:
    call.actor.require("devices.view_registrylogin")
    rows = shown(RegistryLogin.objects.defer("secret"), call)
    if call.out.as_json:
        call.out.document(RegistryLoginSerializer(rows, many=True).data)
        return
    call.out.table(
        ("REGISTRY", "USER", "SINCE"),
        ((row.registry, row.username, row.created_at) for row in rows),
    )


def _registry_argument(parser: ArgumentParser) -> None:
    parser.add_argument("registry", help="its host, and its port if it has one: ghcr.io")


def _add_arguments(parser: ArgumentParser) -> None:
    _registry_argument(parser)
    parser.add_argument("--username", required=True, help="who the portal is there")
    parser.add_argument(
        "--secret-file", required=True, metavar="FILE", help=f"the password or token: {HELP}"
    )


def _add(call: Call) -> None:
    _save(RegistryLogin(registry=call.words["registry"]), call)


def _edit_arguments(parser: ArgumentParser) -> None:
    _registry_argument(parser)
    parser.add_argument("--username", help="who the portal is there")
    parser.add_argument("--secret-file", metavar="FILE", help=f"the password or token: {HELP}")


def _edit(call: Call) -> None:
    call.actor.require("devices.change_registrylogin")
    _save(find.registry_login(call.words["registry"]), call)


def _save(login: RegistryLogin, call: Call) -> None:
    if call.words["username"] is not None:
        login.username = call.words["username"]
    if call.words["secret_file"]:
        login.secret = text_of(call.words["secret_file"])
    saved = save_registry_login(login=login, actor=call.actor)
    if call.out.as_json:
        call.out.document(RegistryLoginSerializer(saved).data)
        return
    call.out.facts((("registry", saved.registry), ("user", saved.username)))


def _delete_arguments(parser: ArgumentParser) -> None:
    _registry_argument(parser)
    reason_argument(parser)


def _delete(call: Call) -> None:
    login = find.registry_login(call.words["registry"])
    delete_registry_login(login=login, actor=call.actor, reason=call.words["reason"])
    call.out.text(f"The login to {login} is deleted.")


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list logins by registry, without their secrets", limit_argument, _list),
    "add": Verb("keep a new login, encrypted", _add_arguments, _add),
    "edit": Verb("change who logs in, or the secret", _edit_arguments, _edit),
    "delete": Verb("forget a login", _delete_arguments, _delete),
}
