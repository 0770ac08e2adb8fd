"""The history by what was changed: modules, instances, releases, patches; on the page, in files and on the command line."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from portal.core.actors import PORTAL
from portal.settings.environment import BASE_DIR
from tests.cli.conftest import run
from tests.environment.redis import RedisServer
from tests.journal.rows import new_artifact, new_device, new_release, new_upgrade
from tests.modules.rows import new_instance, order
from tests.pages.test_history import HISTORY, shown
from tests.patches.rows import new_instance as new_bay
from tests.patches.rows import new_node, new_patch, ordered
from tests.watching.rows import watched
from updates import upgrade_filter
from updates.models import Upgrade
from updates.services.reports import COLUMNS

pytestmark = pytest.mark.database

TEMPLATES = BASE_DIR / "templates"
LINK = re.compile(r'<a href="{% url "admin:updates_upgrade_changelist" %}(\?[^"]*)?"[^>]*>')


def of_instance(name: str, *, source: str = "ghcr.io/nethserver/mymodule") -> Upgrade:
    """A waiting update of an instance of this name."""
    image = f"{source}:1.1.0"
    return order(new_instance(name, source=source), actor=PORTAL, image=image).upgrades.get()


def found(client: Client, words: str) -> set[UUID]:
    return set(shown(client.get(f"{HISTORY}?{words}")))


@pytest.mark.parametrize("looked_at", [1, 100])
def test_the_history_of_a_module_is_that_of_its_instances(
    looked_at: int, operator: Client, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrade_filter, "MOST", looked_at)
    mine = {of_instance("mymodule1").pk, of_instance("mymodule2").pk}
    other = of_instance("shop1", source="ghcr.io/nethserver/shop")
    new_upgrade()

    assert found(operator, "module=mymodule") == mine
    assert found(operator, "module=shop") == {other.pk}
    assert found(operator, "module=mymodul") == set()


def test_the_history_of_a_release_is_that_of_its_artifacts(operator: Client) -> None:
    release = new_release("release-1")
    one = new_artifact("release-1", release=release, device_types=["box"])
    two = new_artifact("release-1", release=release, device_types=["kiosk", "till"])
    mine = {
        new_upgrade(artifact=one).pk,
        new_upgrade(new_device(device_type="kiosk"), artifact=two).pk,
    }
    new_upgrade()

    assert found(operator, "release=release-1") == mine
    page = operator.get(reverse("admin:updates_release_change", args=[release.pk]))
    link = re.search(r'href="([^"]*)">All in the history', page.content.decode())
    assert link
    assert set(shown(operator.get(html.unescape(link[1])))) == mine


def test_artifacts_of_one_release_are_told_apart_by_what_they_are_for(operator: Client) -> None:
    release = new_release("release-1")
    new_artifact("release-1", release=release, device_types=["box"])
    new_artifact("release-1", release=release, device_types=["kiosk", "till"])

    page = operator.get(HISTORY).content.decode()

    assert ">release-1 for box</option>" in page
    assert ">release-1 for kiosk, till</option>" in page


def test_the_history_of_a_patch_is_a_link_on_its_page(
    operator: Client, redis_server: RedisServer
) -> None:
    patch, bay = new_patch(), new_bay()
    new_node(bay)
    upgrade = ordered(patch, bay)
    new_upgrade()

    page = operator.get(reverse("admin:patches_patch_change", args=[patch.pk])).content.decode()
    link = re.search(r'href="([^"]*)">All in the history', page)

    assert link
    assert shown(operator.get(html.unescape(link[1]))) == [upgrade.pk]
    assert [row["id"] for row in run("upgrades", "--patch", patch.name, "--json").json] == [
        str(upgrade.pk)
    ]


@pytest.mark.parametrize("looked_at", [1, 100])
def test_words_find_the_names_of_instances_and_containers(
    looked_at: int, operator: Client, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrade_filter, "FEW", 1)
    monkeypatch.setattr(upgrade_filter, "MOST", looked_at)
    device = new_device("cellar")
    bay = new_bay("mailstore", device=device)
    upgrade = new_upgrade(device)
    Upgrade.objects.filter(pk=upgrade.pk).update(instance=bay, kind="container")
    other = new_upgrade(new_device("attic"))
    for name in ("mailbox", "mailgate"):
        new_bay(name, device=device)

    for words in ("mailstore", "MAIL", "cellar+mailst", "mailstore+test"):
        assert found(operator, f"q={words}") == {upgrade.pk}, words
    assert found(operator, "q=attic+mailstore") == set()
    assert found(operator, "q=attic") == {other.pk}
    assert found(operator, "q=test") == {upgrade.pk, other.pk}


def test_a_file_says_which_instance_was_changed(
    operator: Client, redis_server: RedisServer
) -> None:
    upgrade = of_instance("mymodule1")
    new_upgrade()

    content = operator.get(f"{HISTORY}history.csv?instance=mymodule1").getvalue().decode()
    (row,) = csv.DictReader(io.StringIO(content, newline=""))
    plain, updated = (
        json.loads(line) for line in operator.get(f"{HISTORY}history.jsonl").getvalue().splitlines()
    )

    assert COLUMNS[:24][-1] == "retries", "programs count columns: new ones come at the end"
    assert (row["instance"], row["module"]) == ("mymodule1", "mymodule")
    assert row["module_order"] == str(upgrade.module_order_id)
    assert updated["instance"] == "mymodule1"
    assert (plain["instance"], plain["module"], plain["module_order"]) == ("", "", None)


def test_the_command_line_has_the_same_words(redis_server: RedisServer) -> None:
    upgrade, other = (
        of_instance("mymodule1"),
        of_instance("shop1", source="ghcr.io/nethserver/shop"),
    )
    plain = new_upgrade(artifact=new_artifact("release-1"))

    def listed(*words: str) -> list[str]:
        return [row["id"] for row in run("upgrades", "--json", *words).json]

    assert listed("--kind", "artifact") == [str(plain.pk)]
    assert listed("--instance", "mymodule1") == [str(upgrade.pk)]
    assert listed("--module", "shop") == [str(other.pk)]
    assert listed("--release", "release-1") == [str(plain.pk)]
    assert run("upgrades", "--group", "none").error == "There is no device group 'none'."


def test_links_to_somethings_history_lead_to_all_of_it() -> None:
    links = {
        str(path.relative_to(TEMPLATES)): query
        for path in TEMPLATES.rglob("*.html")
        for query in LINK.findall(path.read_text())
    }
    assert len(links) > 3
    assert {path: query for path, query in links.items() if "days=all" not in query} == {}


def test_a_watched_container_leads_to_all_of_its_history(operator: Client) -> None:
    row = watched()
    page = operator.get(reverse("admin:updates_watchedcontainer_change", args=[row.pk]))
    assert f"?days=all&amp;instance={row.instance}" in page.content.decode()
