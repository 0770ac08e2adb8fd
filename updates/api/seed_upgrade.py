"""The portal's own upgrade over HTTP, as its seed has it: /api/upgrade/… (seeds: container self-upgrade).

`instance` chooses another container that is watched; left out, it is the portal itself. No GET has an effect.
"""

from __future__ import annotations

import os
import re
import uuid
from typing import Any, Final, cast

from django.conf import settings
from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.core.errors import Conflict, NotPermitted, Refused
from portal.core.rest.once import once
from portal.core.rest.permissions import actor_in
from updates.machine import State
from updates.models import Upgrade, WatchedContainer
from updates.plan import Kind
from updates.recipes.container.recipe import BACKUP
from updates.recipes.ways_back import KEPT
from updates.services.container_desk import LATEST, find_watched, order_upgrade
from updates.services.deployment_method import Method, detect_method
from updates.services.seed_progress import logs_of, progress_of, version_in
from updates.services.setup_report import setup_report, why_not_set_up
from updates.services.upgrades import cancel_upgrade

VERSION: Final = re.compile(r"latest|v?[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}(?:-[0-9A-Za-z.-]{1,60})?")
FIELDS: Final = {"targetVersion", "force", "backup", "instance", "reason"}
VIEW: Final = "updates.view_upgrade"
SHOWN: Final = 10
MOST: Final = 100
LONGEST: Final = 2000


class Invalid(Exception):
    """The request breaks its shape: a sentence for who sent it."""


class SeedView(APIView):
    """What the views have in common: who may look, and the seed's words for what went wrong."""

    queryset = WatchedContainer.objects.all()

    def watched(self, request: Request, name: object = None) -> WatchedContainer | None:
        """The container that is meant; None: the portal, which is not set up to look after itself. Refused: there is none."""
        asked = request.query_params.get("instance", "") if name is None else name
        if not isinstance(asked, str):
            raise Invalid("instance is the name of a watched container.")
        return find_watched(asked)


def upgrades_of(watched: WatchedContainer | None) -> QuerySet[Upgrade]:
    """Its upgrades, the newest first."""
    rows = Upgrade.objects.filter(kind=Kind.CONTAINER).order_by("-created_at", "-id")
    return rows.filter(instance=watched.instance_id) if watched else rows.none()


class Status(SeedView):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """Whether it can be upgraded, what runs, and the upgrade that is not over."""
        try:
            watched = self.watched(request)
        except (Invalid, Refused) as error:
            return Response({"error": str(error)}, status=status.HTTP_404_NOT_FOUND)
        active = upgrades_of(watched).exclude(state=State.FINISHED).first()
        is_other = watched is not None and not watched.is_portal
        method = Method.DOCKER if is_other else detect_method(os.environ)
        return Response(
            {
                "enabled": is_other or not why_not_set_up(),
                "deploymentMethod": method.value,
                "currentVersion": watched.instance.version if watched else settings.VERSION,
                "activeUpgrade": _active(active) if active else None,
            }
        )


class Trigger(SeedView):
    @extend_schema(exclude=True)
    @once
    def post(self, request: Request) -> Response:
        """An upgrade is on its way; every field may be left out."""
        try:
            order = _order(request.data)
            watched = self.watched(request, order.get("instance", ""))
            if watched is None:
                actor_in(request).require("updates.upgrade_portal")
                raise Refused(why_not_set_up() or "The portal is not known to itself yet.")
            upgrade = order_upgrade(
                watched=watched, version=order.get("targetVersion", LATEST),
                force=order.get("force", False), backup=order.get("backup", True),
                actor=actor_in(request), reason=order.get("reason") or "Asked for over /api/upgrade/trigger",
            )  # fmt: skip
        except NotPermitted:
            raise
        except Conflict as error:
            return _no(str(error), status.HTTP_409_CONFLICT)
        except (Invalid, Refused) as error:
            return _no(str(error), status.HTTP_400_BAD_REQUEST)
        shown = _short(upgrade)
        return Response(
            {
                "success": True,
                "upgradeId": shown["upgradeId"],
                "currentVersion": shown["fromVersion"],
                "targetVersion": shown["toVersion"],
                "message": "Upgrade initiated",
            }
        )


class StatusOf(SeedView):
    @extend_schema(exclude=True)
    def get(self, request: Request, upgrade: str) -> Response:
        """One upgrade: how far it is, what happened so far."""
        actor_in(request).require(VIEW)
        try:
            found = _found(upgrade)
        except Invalid as error:
            return Response({"error": str(error)}, status=status.HTTP_400_BAD_REQUEST)
        if found is None:
            return Response({"error": "Upgrade not found."}, status=status.HTTP_404_NOT_FOUND)
        return Response(_long(found) | {"logs": logs_of(found)})


class History(SeedView):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """The newest upgrades, `limit` of them."""
        actor_in(request).require(VIEW)
        text = request.query_params.get("limit", str(SHOWN))
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0):
            says = "limit is a number above 0."
            return Response({"error": says}, status=status.HTTP_400_BAD_REQUEST)
        try:
            watched = self.watched(request)
        except (Invalid, Refused) as error:
            return Response({"error": str(error)}, status=status.HTTP_404_NOT_FOUND)
        rows = [_entry(row) for row in upgrades_of(watched)[: min(int(text), MOST)]]
        return Response({"history": rows, "count": len(rows)})


class Cancel(SeedView):
    @extend_schema(exclude=True)
    @once
    def post(self, request: Request, upgrade: str) -> Response:
        """The cancel is on its way. It stops at its next safe point, or goes back."""
        try:
            found = _found(upgrade)
        except Invalid as error:
            return _no(str(error), status.HTTP_400_BAD_REQUEST)
        if found is None:
            return _no("Upgrade not found.", status.HTTP_404_NOT_FOUND)
        try:
            cancel_upgrade(
                upgrade=found, actor=actor_in(request), reason="Over /api/upgrade/cancel"
            )
        except NotPermitted:
            raise
        except Refused as error:
            return _no(str(error), status.HTTP_409_CONFLICT)
        return Response({"success": True, "message": "The cancel is on its way."})


class Configuration(SeedView):
    @extend_schema(exclude=True)
    def get(self, _request: Request) -> Response:
        """What the portal's own upgrade needs, and whether it is there. Nothing is tried out."""
        results = setup_report()
        is_good = all(one.passed for one in results)
        says = "Everything that an upgrade needs is there." if is_good else "Something is missing."
        rows = [
            {"check": one.check, "passed": one.passed, "message": one.message, "details": one.details}
            for one in results
        ]  # fmt: skip
        return Response({"success": is_good, "results": rows, "overallMessage": says})


def _order(data: object) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Invalid("The body is a JSON object, or empty.")
    if unknown := set(data) - FIELDS:
        raise Invalid(f"There is no field {min(map(str, unknown))!r}.")
    version = data.get("targetVersion", LATEST)
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        raise Invalid('targetVersion is "latest" or a version such as 2.14.0.')
    for field in ("force", "backup"):
        if not isinstance(data.get(field, False), bool):
            raise Invalid(f"{field} is true or false.")
    reason = data.get("reason", "")
    if not isinstance(reason, str) or len(reason) > LONGEST:
        raise Invalid(f"reason is a text of {LONGEST} characters at most.")
    return cast(dict[str, Any], data)


def _found(text: str) -> Upgrade | None:
    try:
        pk = uuid.UUID(text)
    except ValueError:
        raise Invalid("That is no id of an upgrade.") from None
    return Upgrade.objects.filter(pk=pk).select_related("device", "instance").first()


def _short(upgrade: Upgrade) -> dict[str, Any]:
    progress = progress_of(upgrade)
    return {
        "upgradeId": str(upgrade.pk),
        "status": progress.status,
        "progress": progress.percent,
        "currentStep": progress.step,
        "fromVersion": version_in(upgrade.from_version),
        "toVersion": version_in(upgrade.to_version),
        "startedAt": upgrade.created_at,
    }


def _active(upgrade: Upgrade) -> dict[str, Any]:
    """Its beginning is a number of milliseconds here, as the seed has it."""
    return _short(upgrade) | {"startedAt": int(upgrade.created_at.timestamp() * 1000)}


def _long(upgrade: Upgrade) -> dict[str, Any]:
    shown = _short(upgrade)
    if upgrade.finished_at:
        shown["completedAt"] = upgrade.finished_at
    if error := progress_of(upgrade).error:
        shown["error"] = error
    return shown


def _entry(upgrade: Upgrade) -> dict[str, Any]:
    """As the view `upgrade_history` has it: also where its backup is, and whether what it replaced is kept."""
    backup = upgrade.facts.get(BACKUP) or {}
    return _long(upgrade) | {
        "backupPath": backup.get("path"),
        "rollbackAvailable": bool(upgrade.facts.get(KEPT)),
    }


def _no(says: str, code: int) -> Response:
    """A refusal in the seed's shape: `issues` lists what is to be mended."""
    return Response({"success": False, "message": says, "issues": [says]}, status=code)


urlpatterns = [
    path("status", Status.as_view(), name="seed-upgrade-status"),
    path("status/<str:upgrade>", StatusOf.as_view(), name="seed-upgrade-status-of"),
    path("trigger", Trigger.as_view(), name="seed-upgrade-trigger"),
    path("history", History.as_view(), name="seed-upgrade-history"),
    path("cancel/<str:upgrade>", Cancel.as_view(), name="seed-upgrade-cancel"),
    path("test-configuration", Configuration.as_view(), name="seed-upgrade-configuration"),
]
"""Below /api/upgrade/."""
