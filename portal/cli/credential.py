"""`manage.py credential VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Final

from devices.api.credentials import CredentialSerializer
from devices.models import Credential
from devices.services.credentials import save_credential
from portal.cli import find
from portal.cli.limit import limit_argument, shown
from portal.cli.secret import HELP, text_of
from portal.cli.verb import Call, Verb


def _list(call: Call) -> None:
    call.actor.require("devices.view_credential")
    rows = shown(Credential.objects.defer("secret", "passphrase"), call)
    if call.out.as_json:
        call.out.document(CredentialSerializer(rows, many=True).data)
        return
    call.out.table(
        ("NAME", "KIND", "USER", "SINCE"),
        ((row.name, row.kind, row.username, row.created_at) for row in rows),
    )


def _secret_arguments(parser: ArgumentParser, *, is_required: bool) -> None:
    parser.add_argument("name", help="its name")
    parser.add_argument("--username", required=is_required, help="who logs in with it")
    parser.add_argument(
        "--secret-file",
        required=is_required,
        metavar="FILE",
        help=f"with the password, or the private key: {HELP}",
    )
    parser.add_argument("--passphrase-file", metavar="FILE", help="with the private key's own")


def _add_arguments(parser: ArgumentParser) -> None:
    _secret_arguments(parser, is_required=True)
    parser.add_argument("--kind", required=True, choices=[kind.value for kind in Credential.Kind])


def _edit_arguments(parser: ArgumentParser) -> None:
    _secret_arguments(parser, is_required=False)


def _add(call: Call) -> None:
    credential = Credential(name=call.words["name"], kind=call.words["kind"])
    _save(credential, call)


def _edit(call: Call) -> None:
    call.actor.require("devices.change_credential")
    _save(find.credential(call.words["name"]), call)


def _save(credential: Credential, call: Call) -> None:
    """A new secret comes with its own passphrase, or with none."""
    words = call.words
    if words["username"] is not None:
        credential.username = words["username"]
    if words["secret_file"]:
        credential.secret, credential.passphrase = text_of(words["secret_file"]), ""
    if words["passphrase_file"]:
        credential.passphrase = text_of(words["passphrase_file"])
    saved = save_credential(credential=credential, actor=call.actor)
    if call.out.as_json:
        call.out.document(CredentialSerializer(saved).data)
        return
    call.out.facts((("name", saved.name), ("kind", saved.kind), ("user", saved.username)))


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list credentials by name, without their secrets", limit_argument, _list),
    "add": Verb("keep a new credential, encrypted", _add_arguments, _add),
    "edit": Verb("change who logs in with it, or its secret", _edit_arguments, _edit),
}
