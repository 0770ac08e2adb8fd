"""`manage.py trusted_key VERB` and `manage.py signing_key VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Final

from portal.cli import find
from portal.cli.limit import limit_argument, shown
from portal.cli.output import Output
from portal.cli.reason import reason_argument
from portal.cli.secret import HELP, text_of
from portal.cli.verb import Call, Verb
from updates.api.keys import SigningKeySerializer, TrustedKeySerializer
from updates.models import SigningKey, TrustedKey
from updates.services.keys import (
    Generated,
    delete_signing_key,
    distrust_key,
    generate_signing_key,
    import_signing_key,
    trust_key,
)

HEAD: Final = ("NAME", "KIND", "FINGERPRINT", "SINCE")


def _name_argument(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="its name")


def _with_reason(parser: ArgumentParser) -> None:
    _name_argument(parser)
    reason_argument(parser)


def _list_trusted(call: Call) -> None:
    call.actor.require("updates.view_trustedkey")
    rows = shown(TrustedKey.objects.select_related("added_by"), call)
    if call.out.as_json:
        call.out.document(TrustedKeySerializer(rows, many=True).data)
        return
    call.out.table(HEAD, ((row.name, row.kind, row.fingerprint, row.added_at) for row in rows))


def _trust_arguments(parser: ArgumentParser) -> None:
    _name_argument(parser)
    parser.add_argument("pem", metavar="FILE", help=f"the public key in PEM form: {HELP}")


def _trust(call: Call) -> None:
    pem = text_of(call.words["pem"])
    _tell(trust_key(name=call.words["name"], pem=pem, actor=call.actor), out=call.out)


def _distrust(call: Call) -> None:
    key, data = _found_trusted(call.words["name"])
    distrust_key(key=key, actor=call.actor, reason=call.words["reason"])
    _gone(key.name, data, out=call.out, says="is trusted no more.")


def _list_signing(call: Call) -> None:
    call.actor.require("updates.view_signingkey")
    keys = SigningKey.objects.select_related("added_by").defer("private_pem")
    rows = shown(keys, call)
    if call.out.as_json:
        call.out.document(SigningKeySerializer(rows, many=True).data)
        return
    call.out.table(HEAD, ((row.name, row.kind, row.fingerprint, row.added_at) for row in rows))


def _generate_arguments(parser: ArgumentParser) -> None:
    _name_argument(parser)
    parser.add_argument(
        "--kind", choices=[kind.value for kind in Generated], default=Generated.ECDSA.value
    )


def _generate(call: Call) -> None:
    kind = Generated(call.words["kind"])
    _tell(generate_signing_key(name=call.words["name"], kind=kind, actor=call.actor), out=call.out)


def _import_arguments(parser: ArgumentParser) -> None:
    _name_argument(parser)
    parser.add_argument("pem", metavar="FILE", help=f"the private key in PEM form: {HELP}")
    parser.add_argument("--password-file", metavar="FILE", help="with the key's password")


def _import(call: Call) -> None:
    given = call.words["password_file"]
    key = import_signing_key(
        name=call.words["name"],
        pem=text_of(call.words["pem"]),
        password=text_of(given) if given else "",
        actor=call.actor,
    )
    _tell(key, out=call.out)


def _delete(call: Call) -> None:
    key = find.signing_key(call.words["name"])
    data = SigningKeySerializer(key).data
    delete_signing_key(key=key, actor=call.actor, reason=call.words["reason"])
    _gone(key.name, data, out=call.out, says="is gone for good.")


def _found_trusted(name: str) -> tuple[TrustedKey, object]:
    key = find.trusted_key(name)
    return key, TrustedKeySerializer(key).data


def _tell(key: TrustedKey | SigningKey, *, out: Output) -> None:
    """What everybody may know of the key."""
    if out.as_json:
        if isinstance(key, TrustedKey):
            out.document(TrustedKeySerializer(key).data)
        else:
            out.document(SigningKeySerializer(key).data)
        return
    out.facts((("name", key.name), ("kind", key.kind), ("fingerprint", key.fingerprint)))
    out.text(key.pem if isinstance(key, TrustedKey) else key.public_pem)


def _gone(name: str, data: object, *, out: Output, says: str) -> None:
    if out.as_json:
        out.document(data)
    else:
        out.text(f"{name} {says}")


TRUSTED: Final[Mapping[str, Verb]] = {
    "list": Verb("list the keys whose signature counts", limit_argument, _list_trusted),
    "add": Verb("trust a public key", _trust_arguments, _trust),
    "delete": Verb("trust a key no more", _with_reason, _distrust),
}
SIGNING: Final[Mapping[str, Verb]] = {
    "list": Verb("list the keys that the portal signs with", limit_argument, _list_signing),
    "generate": Verb("have the portal make a key", _generate_arguments, _generate),
    "import": Verb("hand a private key over", _import_arguments, _import),
    "delete": Verb("delete a private key, for good", _with_reason, _delete),
}
