"""Devices that lie, and programs that play devices: a clear 4xx, nothing stored that should not be, nobody let in."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP521R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from devices.auth_request import AuthRequest, read_auth_request, read_device_key
from devices.errors import NotLetIn, Unreadable
from devices.inventory import read_inventory
from devices.mender_auth import token_of
from devices.models import AuthSet, Device, DeviceIdentity
from devices.services import asking
from devices.services.enrolment import accept, preauthorise, reject
from portal.core import clock
from portal.core.actors import PORTAL
from tests.pulled.pretend import AUTH, INVENTORY, PretendDevice, fresh_key, public_text, signature

pytestmark = pytest.mark.database

MAC = {"mac": "02:00:00:00:00:01"}


def let_in(device: PretendDevice) -> Device:
    device.ask()
    row = accept(auth_set=AuthSet.objects.get(status="pending"), actor=PORTAL)
    assert device.ask().status_code == 200
    return row


def test_whoever_is_not_let_in_hears_the_very_same(settings: Settings) -> None:
    """Pending, rejected, wrong signature, over the limit, no token: nobody learns which."""
    pending, rejected, late = (PretendDevice({"serial": name}) for name in ("p", "r", "l"))
    rejected.ask()
    reject(auth_set=AuthSet.objects.get(), actor=PORTAL)
    pending.ask()
    settings.PENDING_DEVICES_LIMIT = 1
    forged = pending.send_auth(
        pending.auth_body(), proof=signature(fresh_key(), pending.auth_body())
    )
    answers = [pending.ask(), rejected.ask(), late.ask(), forged, late.report({"a": "1"})]
    said = [json.loads(answer.content) for answer in answers]
    assert {answer.status_code for answer in answers} == {401}
    assert {words["error"] for words in said} == {"This device is not let in."}
    assert all(set(words) == {"error", "request_id"} for words in said)
    assert len({tuple(sorted(set(answer.headers) - {"X-Request-Id"})) for answer in answers}) == 1


def test_a_signature_counts_for_its_exact_bytes_only() -> None:
    device = PretendDevice(MAC)
    let_in(device)
    body = device.auth_body()
    proof = signature(device.key, body)
    assert device.send_auth(body, proof=proof).status_code == 200
    for other in (body.strip(), body + b" ", body.replace(b'": "', b'":"', 1)):
        assert device.send_auth(other, proof=proof).status_code == 401


def test_another_key_in_the_body_is_another_device() -> None:
    device = PretendDevice(MAC)
    let_in(device)
    thief = PretendDevice(MAC)
    body = device.auth_body()
    assert thief.send_auth(body, proof=signature(thief.key, body)).status_code == 401
    assert thief.ask().status_code == 401
    assert AuthSet.objects.filter(status="accepted").count() == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"id_data": 1, "pubkey": 2}',
        b'{"id_data": "{}", "pubkey": "x"}',
        b'{"pubkey": "x"}',
        b'{"id_data": "{\\"a\\":\\"\\u0000\\"}", "pubkey": "x"}',
        b"[" * 30_000,
        b'{"id_data":"{\\"a\\":\\"b\\"}","pubkey":"-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----"}',
    ],
)
def test_what_is_no_request_is_400(body: bytes) -> None:
    answer = PretendDevice(MAC).send_auth(body, proof="AAAA")
    assert answer.status_code == 400
    assert json.loads(answer.content)["error"]
    assert not DeviceIdentity.objects.exists()


@pytest.mark.parametrize("proof", ["", "!!!", "A" * 5000])
def test_what_is_no_signature_is_400(proof: str) -> None:
    device = PretendDevice(MAC)
    assert device.send_auth(device.auth_body(), proof=proof).status_code == 400


@pytest.mark.parametrize(
    "identity", [{}, {"a": 1}, {"a": {"b": "c"}}, {"a": ["b", 1]}, {"a": "b" * 5000}]
)
def test_what_is_no_identity_is_400_and_not_stored(identity: dict[str, object]) -> None:
    assert PretendDevice(identity).ask().status_code == 400
    assert not DeviceIdentity.objects.exists()


def test_keys_that_no_device_should_have_are_400_and_not_stored() -> None:
    short = generate_rsa_key(public_exponent=65537, key_size=1024)  # noqa: S505 - which is the point
    odd = generate_private_key(SECP521R1())
    for key in (short, odd):
        assert PretendDevice(MAC, key=key).ask().status_code == 400
    device = PretendDevice(MAC)
    secret = device.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for text in (secret, public_text(device.key) * 100):
        said = {"id_data": json.dumps(MAC), "pubkey": text}
        assert device.send_auth(json.dumps(said).encode(), proof="AAAA").status_code == 400
    assert not DeviceIdentity.objects.exists()


def test_a_body_that_is_too_large_is_413() -> None:
    device = PretendDevice(MAC)
    assert device.send_auth(b" " * (64 * 1024 + 1), proof="AAAA").status_code == 413


def forged_tokens(device: Device, auth_set: AuthSet) -> dict[str, str]:
    """Tokens as somebody would make them who knows everything but the key, and some that were good once."""
    good = jwt.decode(token_of(auth_set), options={"verify_signature": False})
    return {
        "another key": jwt.encode(good, "0" * 32, algorithm="HS256"),
        "the secret itself": jwt.encode(good, django_settings.SECRET_KEY, algorithm="HS256"),
        "no signature": jwt.encode(good, "", algorithm="none"),
        "an operator's": "fwt_" + "a" * 43,
        "nothing": "",
        "rubbish": "a.b.c",
        "long": "a" * 10_000,
    }


def test_forged_tokens_open_nothing() -> None:
    row = let_in(PretendDevice(MAC))
    for what, token in forged_tokens(row, AuthSet.objects.get()).items():
        thief = PretendDevice(MAC)
        thief.token = token
        assert thief.report({"a": "1"}).status_code == 401, what


def test_an_expired_token_opens_nothing(settings: Settings) -> None:
    device = PretendDevice(MAC)
    let_in(device)
    settings.DEVICE_TOKEN_SECONDS = 60
    with clock.started_at(clock.now() - timedelta(seconds=120)):
        device.ask()
    assert device.report({"a": "1"}).status_code == 401
    device.ask()
    assert device.report({"a": "1"}).status_code == 200


def test_a_token_of_a_set_that_names_another_device_opens_nothing() -> None:
    device = PretendDevice(MAC)
    row = let_in(device)
    other = Device.objects.create(name="other", device_type="x", driver="pull")
    DeviceIdentity.objects.update(device=other)
    assert device.report({"a": "1"}).status_code == 401
    row.refresh_from_db()
    other.refresh_from_db()
    assert "a" not in row.reported and other.reported == {}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b'[{"name": "a"}]',
        b'[{"name": "", "value": "1"}]',
        b'[{"name": "a", "value": null}]',
        b'[{"name": "a", "value": true}]',
        b'[{"name": "a", "value": {"b": 1}}]',
        b'[{"name": "a", "value": ["b", 1]}]',
        b'[{"name": "a", "value": "\\u0000"}]',
        b'[{"name": "a", "value": "\\ud800"}]',
        b'[{"name": "a", "value": NaN}]',
        b'[{"name": "a", "value": 1e999}]',
        b'[{"name": "a", "value": "\xff"}]',
        b'[{"name": "a", "value": "1"}',
        b"[" * 100_000,
        json.dumps([{"name": "n" * 1025, "value": "1"}]).encode(),
        json.dumps([{"name": f"n{n}", "value": "1"} for n in range(501)]).encode(),
    ],
)
def test_what_is_no_inventory_is_400_and_changes_nothing(raw: bytes) -> None:
    device = PretendDevice(MAC)
    row = let_in(device)
    assert device.report(None, raw=raw).status_code == 400
    row.refresh_from_db()
    assert row.reported == MAC


def test_an_oversized_inventory_is_413_and_patches_do_not_pile_up() -> None:
    device = PretendDevice(MAC)
    row = let_in(device)
    assert device.report(None, raw=b" " * (256 * 1024 + 1)).status_code == 413
    for start in range(0, 600, 100):
        device.report({f"n{start + n}": "1" for n in range(100)}, method="PATCH")
    row.refresh_from_db()
    assert len(row.reported) == 401


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_other_methods_are_405_and_nothing_redirects(method: str) -> None:
    client = Client()
    assert client.generic(method, INVENTORY).status_code == 405
    for address in (AUTH + "/", INVENTORY + "/", "/api/devices/v1/nowhere", "/api/devices/"):
        assert client.generic(method, address).status_code == 404


@pytest.mark.only_postgresql  # it is dear, and the same on both
def test_a_flood_of_requests_fills_the_list_and_no_more(settings: Settings) -> None:
    """10,000 that ask at once: the list is full, who was on it is still there, who is let in gets in all the same."""
    settings.NEW_DEVICES_PER_MINUTE, settings.PENDING_DEVICES_LIMIT = 100_000, 100
    known, chosen = PretendDevice({"serial": "known"}), PretendDevice({"serial": "chosen"})
    let_in(known)
    preauthorise(
        id_data={"serial": "chosen"}, key=read_device_key(public_text(chosen.key)), actor=PORTAL
    )
    early = PretendDevice({"serial": "early"})
    early.ask()
    key = read_device_key(public_text(fresh_key()))
    for number in range(10_000):
        with pytest.raises(NotLetIn):
            asking.let_in(AuthRequest({"serial": f"F{number}"}, key))
    assert AuthSet.objects.filter(status="pending").count() == 100
    assert DeviceIdentity.objects.count() == 102
    assert AuthSet.objects.filter(identity__id_data={"serial": "early"}).exists()
    assert known.ask().status_code == chosen.ask().status_code == 200


def test_new_ones_are_braked(settings: Settings) -> None:
    settings.NEW_DEVICES_PER_MINUTE = 3
    for number in range(6):
        PretendDevice({"serial": str(number)}).ask()
    assert AuthSet.objects.count() == 3
    AuthSet.objects.update(requested_at=clock.now() - timedelta(seconds=61))
    PretendDevice({"serial": "later"}).ask()
    assert AuthSet.objects.count() == 4


def test_an_identity_has_so_many_keys_and_no_more() -> None:
    for _ in range(asking.MOST_KEYS + 2):
        PretendDevice(MAC).ask()
    assert AuthSet.objects.count() == asking.MOST_KEYS


def queries_of(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        act()
    return len(queries)


def test_an_idle_device_costs_one_query_a_question() -> None:
    device = PretendDevice(MAC)
    let_in(device)
    device.report({"a": "1"})
    assert queries_of(device.ask) == 1
    assert queries_of(lambda: device.report({"a": "1"})) == 1
    assert queries_of(PretendDevice({}).ask) == 0
    stranger = PretendDevice(MAC)
    stranger.token = "a.b.c"
    assert queries_of(lambda: stranger.report({"a": "1"})) == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
ATTRIBUTES = st.lists(
    st.fixed_dictionaries({"name": st.text(max_size=40), "value": JSON}), max_size=8
)


@given(st.binary(max_size=300) | JSON.map(lambda said: json.dumps(said).encode()))
def test_any_bytes_are_a_request_or_unreadable(body: bytes) -> None:
    try:
        assert read_auth_request(body, signature="AAAA") is None
    except Unreadable as error:
        assert str(error).endswith(".")


@given(ATTRIBUTES.map(lambda said: json.dumps(said).encode()) | st.binary(max_size=300))
def test_any_bytes_are_an_inventory_that_databases_take_or_unreadable(body: bytes) -> None:
    try:
        said = read_inventory(body)
    except Unreadable as error:
        assert str(error)
        return
    written = json.dumps(said, allow_nan=False)
    assert "\\u0000" not in written
    written.encode()
    assert json.loads(written) == said
