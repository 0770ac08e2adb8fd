"""A key that is trusted, or not any more, while an artifact that it signed goes on record."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile

from portal.core.actors import PORTAL
from tests.environment.at_once import waiting_for_us
from tests.services.uploads import written
from updates.formats.mender_artifact import SigningKey as Signer
from updates.models import Artifact, SigningKey, TrustedKey
from updates.services.artifacts import keep_artifact, received_artifact
from updates.services.keys import (
    Generated,
    distrust_key,
    generate_signing_key,
    open_signing_key,
    trust_key,
)

pytestmark = pytest.mark.database(transaction=True)


@pytest.fixture
def key(transactional_db: None) -> SigningKey:
    return generate_signing_key(name="house", kind=Generated.ECDSA, actor=PORTAL)


@pytest.fixture
def signer(key: SigningKey) -> Signer:
    return open_signing_key(key=key, actor=PORTAL)


def test_a_key_that_is_distrusted_meanwhile_signs_nothing(signer: Signer) -> None:
    trusted = TrustedKey.objects.get()
    file = ContentFile(written(key=signer))

    with (
        received_artifact(file=file, actor=PORTAL) as artifact,
        waiting_for_us(lambda: distrust_key(key=trusted, actor=PORTAL, reason="It leaked")),
    ):
        assert keep_artifact(artifact=artifact, actor=PORTAL).signed_by == trusted

    assert not TrustedKey.objects.exists()
    assert Artifact.objects.get().signed_by is None


def test_a_key_that_is_trusted_meanwhile_explains_the_artifact(
    key: SigningKey, signer: Signer
) -> None:
    TrustedKey.objects.all().delete()
    file = ContentFile(written(key=signer))

    with (
        received_artifact(file=file, actor=PORTAL) as artifact,
        waiting_for_us(lambda: trust_key(name="again", pem=key.public_pem, actor=PORTAL)),
    ):
        assert keep_artifact(artifact=artifact, actor=PORTAL).signed_by is None

    assert Artifact.objects.get().signed_by == TrustedKey.objects.get()


def test_an_artifact_that_comes_while_its_key_is_trusted_is_signed_by_it(
    key: SigningKey, signer: Signer
) -> None:
    TrustedKey.objects.all().delete()
    file = ContentFile(written(key=signer))

    with (
        received_artifact(file=file, actor=PORTAL) as artifact,
        waiting_for_us(lambda: keep_artifact(artifact=artifact, actor=PORTAL)),
    ):
        trust_key(name="again", pem=key.public_pem, actor=PORTAL)

    assert Artifact.objects.get().signed_by == TrustedKey.objects.get()
