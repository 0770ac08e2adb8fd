"""While the portal's own upgrade may still be rolled back, nothing is taken in: it would be forgotten."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse

from portal.core.rest.problem import MEDIA_TYPE
from updates.services.portal_state import WatchdogStatus, closed_by, watchdog_status
from updates.watchdog.record import Record

API: Final = "/api/"
OPEN: Final = ("/livez", "/readyz", "/api/upgrade/status")
"""Who asks whether the portal lives or how the upgrade goes changes nothing."""
RETRY_SECONDS: Final = 10
CODE: Final = "RUN-503"


class ClosedMiddleware:
    """Answers everybody else with 503, a page that says why and comes again by itself, and when to ask again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path.startswith((*OPEN, f"/{settings.STATIC_URL.strip('/')}/")):
            return self._get_response(request)
        upgrade = closed_by()
        if upgrade is None:
            return self._get_response(request)
        watchdog = watchdog_status()
        if not watchdog.is_alive and _leads_out(path, upgrade):
            return self._get_response(request)
        return _refusal(request, upgrade, watchdog)


def _leads_out(path: str, upgrade: Record) -> bool:
    """Whether somebody comes that way to end the upgrade, which nobody else will: the login, and the verb itself."""
    logins = (reverse("admin:login"), reverse("second_factor:ask"))
    return path in (*logins, _force_page(upgrade), _force_call(upgrade))


def _force_page(upgrade: Record) -> str:
    return reverse("admin:updates_upgrade_force_cancel", args=[upgrade.upgrade])


def _force_call(upgrade: Record) -> str:
    return reverse("upgrades-force-cancel", args=[upgrade.upgrade])


def _sentence(upgrade: Record, watchdog: WatchdogStatus) -> str:
    version = upgrade.to_version.rpartition(":")[2]
    begins = f"The portal is being upgraded to {version}, {upgrade.progress} % are done. "
    if watchdog.is_alive:
        return f"{begins}It is back within a few minutes, and what was being done goes on."
    seen = watchdog.heartbeat.seen_at if watchdog.heartbeat else None
    last = (
        f"gave its last sign of life at {seen:%Y-%m-%d %H:%M:%S} UTC" if seen else "gives no sign"
    )
    return (
        f"{begins}But the watchdog that does it {last}: see whether its container runs, and what "
        f"docker logs {settings.CONTAINER_NAME}-upgrader says. Once it runs again, it goes on with this."
    )


def _refusal(request: HttpRequest, upgrade: Record, watchdog: WatchdogStatus) -> HttpResponse:
    sentence = _sentence(upgrade, watchdog)
    way_out = "" if watchdog.is_alive else _force_page(upgrade)
    answer: HttpResponse
    if request.path_info.startswith(API) or not request.accepts("text/html"):
        problem = {
            "type": f"urn:fleetwright:problem:{CODE.lower()}",
            "title": "Portal busy",
            "status": HTTPStatus.SERVICE_UNAVAILABLE.value,
            "detail": f"{sentence} By force it is ended with POST {_force_call(upgrade)}"
            if way_out
            else sentence,
            "code": CODE,
            "retryable": True,
        }
        answer = JsonResponse(
            problem, status=HTTPStatus.SERVICE_UNAVAILABLE, content_type=MEDIA_TYPE
        )
    else:
        context = {"sentence": sentence, "percent": upgrade.progress, "way_out": way_out}
        page = render_to_string("503.html", context)
        answer = HttpResponse(page, status=HTTPStatus.SERVICE_UNAVAILABLE)
        answer["Refresh"] = str(RETRY_SECONDS)
    answer["Retry-After"] = str(RETRY_SECONDS)
    answer["Cache-Control"] = "no-store"
    return answer
