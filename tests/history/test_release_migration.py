"""Artifacts and deployments of before releases: each is in the release of its name afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

pytestmark = pytest.mark.database(transaction=True)

BEFORE = [("updates", "0009_count_left_out"), ("portal", "0003_share_saved_filters")]
AFTER = ("updates", "0011_every_artifact_is_in_a_release")


@pytest.fixture
def migrations(transactional_db: None) -> Iterator[MigrationExecutor]:
    """Back before releases; and forward to the newest at the end, whatever happens."""
    MigrationExecutor(connection).migrate(BEFORE)
    yield MigrationExecutor(connection)
    last = MigrationExecutor(connection)
    last.migrate(last.loader.graph.leaf_nodes())


def test_what_was_there_is_gathered_into_releases(migrations: MigrationExecutor) -> None:
    old = migrations.loader.project_state(BEFORE).apps
    artifacts = [
        old.get_model("updates", "Artifact").objects.create(
            name=name, device_types=[device_type], size=1, unpacked_size=1, file="none",
            sha256=f"{number:064d}",
        )
        for number, (name, device_type) in enumerate(
            [("one", "box"), ("one", "crate"), ("two", "box")]
        )
    ]  # fmt: skip
    deployment = old.get_model("updates", "Deployment")._base_manager.create(
        name="all", artifact=artifacts[1], reason="so", created_at=timezone.now()
    )

    forward = MigrationExecutor(connection)
    forward.migrate([AFTER])
    new = forward.loader.project_state([AFTER]).apps
    names = new.get_model("updates", "Artifact").objects.order_by("sha256")
    assert list(names.values_list("release__name", flat=True)) == ["one", "one", "two"]
    assert new.get_model("updates", "Release").objects.count() == 2
    kept = new.get_model("updates", "Deployment")._base_manager.get(pk=deployment.pk)
    assert (kept.release.name, kept.artifact_id) == ("one", artifacts[1].pk)
    first = new.get_model("updates", "Release").objects.get(name="one")
    assert first.created_at == artifacts[0].uploaded_at
