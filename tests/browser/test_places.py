"""No page is forgotten when all of them are looked at."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.urls import resolve

from tests.access.addresses import API, SEED_API, expected
from tests.browser.fleet import Fleet
from tests.browser.places import everywhere

ELSEWHERE = {
    "livez": "for programs",
    "queue/stats.json": "for programs",
    "autocomplete/": "for a field that looks something up",
    "jsi18n/": "for scripts",
    "search/": "part of the command palette, which test_many opens",
    "overview/deployments/": "part of the front page",
    "overview/running/": "part of the front page",
    "overview/pictures/": "part of the front page",
    "overview/works/": "part of the front page",
    "overview/systems/": "part of the front page",
    "patches/patch/upload/versions/": "part of a form",
    "patches/patch/<uuid:pk>/composition/": "part of a page",
    "patches/patch/<uuid:pk>/instances/": "part of a page",
    "patches/patch/<uuid:pk>/on/<int:instance>/answers/": "part of a page",
    "patches/node/<int:pk>/state/": "part of a page",
    "devices/devicegroup/preview/": "part of a form",
    "devices/device/bulk/order/<uuid:pk>/live/": "part of a page",
    "updates/artifact/<uuid:pk>/checks/": "part of a page",
    "updates/deployment/<uuid:pk>/counts/": "part of a page",
    "updates/moduleorder/<uuid:pk>/counts/": "part of a page",
    "updates/imagecheck/<int:pk>/now/": "part of a page",
    "updates/imageremoval/<uuid:pk>/live/": "part of a page",
    "updates/updatemodule/<int:pk>/checks/": "part of a page",
    "updates/watchedcontainer/<int:pk>/preflight/": "part of a page",
    "updates/upgrade/<uuid:pk>/live/": "part of a page",
    "updates/upgrade/of/<int:device>/": "part of a page",
    "devices/device/devices.csv": "a file",
    "updates/artifact/<uuid:pk>/download/": "a file",
    r"updates/upgrade/^history\.(?P<form>csv|jsonl)$": "a file",
}
RQ = ("queue/queues/", "queue/workers/")
"""RQ's own dashboard, whose first page is looked at: what is on the others is not ours to mend."""
HISTORY = "/<path:object_id>/history/"
"""Django's page of what its admin wrote down: one template, looked at for a credential."""
PAGE = "200"


def test_every_page_of_the_url_configuration_is_looked_at(portal: str, fleet: Fleet) -> None:
    places = everywhere(fleet, User.objects.create_superuser("adam"))
    looked_at = {str(resolve(urlsplit(url).path).route) for url in places.values()}
    pages = {
        question.route
        for question, row in expected().items()
        if question.method == "GET"
        and row["administrator"] == PAGE
        and not question.route.startswith((API, SEED_API, *RQ))
    }
    histories = {route for route in pages - looked_at if route.endswith(HISTORY)}
    assert pages - looked_at - histories - ELSEWHERE.keys() == set()
    assert ELSEWHERE.keys() & looked_at == set()
    assert ELSEWHERE.keys() - {question.route for question in expected()} == set()
