"""The command palette: what it finds, and for whom."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from portal.core.actors import Actor
from updates.models import Deployment, Upgrade
from updates.services.deployments import deploy_artifact

pytestmark = pytest.mark.database


def found(client: Client, words: str) -> str:
    return client.get(reverse("admin:search"), {"extended": "1", "s": words}).content.decode()


def change(word: str, pk: object) -> str:
    return f'href="{reverse(f"admin:{word}_change", args=[pk])}"'


def test_devices_and_artifacts_are_found_by_name(operator: Client, waiting: Upgrade) -> None:
    assert change("devices_device", waiting.device_id) in found(operator, "box-1")
    assert change("updates_artifact", waiting.artifact_id) in found(operator, "release")


def test_upgrades_and_deployments_are_found_by_the_beginning_of_their_id(
    operator: Client, waiting: Upgrade, actor: Actor
) -> None:
    assert waiting.artifact is not None
    deployment = deploy_artifact(
        artifact=waiting.artifact,
        devices=type(waiting.device)._default_manager.all(),
        actor=actor,
        reason="All",
    )
    assert change("updates_upgrade", waiting.pk) in found(operator, str(waiting.pk))
    assert change("updates_upgrade", waiting.pk) in found(operator, str(waiting.pk)[:11].upper())
    assert change("updates_deployment", deployment.pk) in found(operator, str(deployment.pk)[:8])
    assert Deployment.objects.count() == 1


@pytest.mark.parametrize("words", ["zzzz", "g" * 40, "0" * 40, "٣٣٣٣", "%"])
def test_words_that_name_nothing_find_nothing(
    words: str, operator: Client, waiting: Upgrade
) -> None:
    assert "No results matching your query" in found(operator, words)


def test_verbs_are_found_by_whoever_may_use_them(operator: Client, viewer: Client) -> None:
    upload = reverse("admin:updates_artifact_upload")
    assert upload in found(operator, "upload")
    assert upload not in found(viewer, "upload")


def test_a_stranger_finds_nothing_of_the_fleet(stranger: Client, waiting: Upgrade) -> None:
    for words in ("box", "release", str(waiting.pk)):
        assert "No results matching your query" in found(stranger, words)


def test_every_page_has_a_way_past_the_sidebar_and_a_list_of_shortcuts(operator: Client) -> None:
    shown = operator.get(reverse("admin:index")).content.decode()
    assert 'href="#content" class="fw-skip"' in shown
    assert 'id="content"' in shown
    assert 'id="shortcuts"' in shown
    assert shown.index("fw-skip") < shown.index("nav-sidebar")
