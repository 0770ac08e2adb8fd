"""What the admin's sidebar leads to: for each user, what they may see."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.urls import reverse

GROUPS = (
    (
        "",
        (
            ("Overview", "dashboard", "admin:index", ""),
            ("Artifacts", "deployed_code", "admin:updates_artifact_changelist", "updates.view_artifact"),
            ("Deployments", "rocket_launch", "admin:updates_deployment_changelist", "updates.view_deployment"),
            ("History", "history", "admin:updates_upgrade_changelist", "updates.view_upgrade"),
            ("Stuck", "hourglass_disabled", "admin:updates_upgrade_stuck", "updates.view_upgrade"),
            ("Update Modules", "extension", "admin:updates_updatemodule_changelist", "updates.view_updatemodule"),
        ),
    ),
    (
        "Fleet",
        (
            ("Devices", "devices", "admin:devices_device_changelist", "devices.view_device"),
            ("Groups", "workspaces", "admin:devices_devicegroup_changelist", "devices.view_devicegroup"),
            ("Credentials", "key", "admin:devices_credential_changelist", "devices.view_credential"),
        ),
    ),
    (
        "Portal",
        (
            ("Audit entries", "fact_check", "admin:core_auditevent_changelist", "core.view_auditevent"),
            ("Users", "person", "admin:auth_user_changelist", "auth.view_user"),
            ("User groups", "group", "admin:auth_group_changelist", "auth.view_group"),
            ("API tokens", "token", "admin:core_apitoken_changelist", "core.view_apitoken"),
            ("Second factors", "encrypted", "admin:second_factor_authenticator_changelist", "second_factor.view_authenticator"),
            ("Failed logins", "lock_person", "admin:axes_accessattempt_changelist", "axes.view_accessattempt"),
            ("Queue", "stacks", "django_rq:home", "django_rq.admin"),
        ),
    ),
)  # fmt: skip
"""Title of the group; title, icon, address and needed permission of each item."""


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar, without what the user may not see. Where the user is, is marked: the closest item, and no other."""
    shown = [
        (
            title,
            [
                (item, icon, reverse(address))
                for item, icon, address, may in items
                if _may(request, may)
            ],
        )
        for title, items in GROUPS
    ]
    here = _closest(request.path, [link for _, items in shown for _, _, link in items])
    return [
        {
            "title": title,
            "separator": bool(title),
            "items": [
                {"title": item, "icon": icon, "link": link, "active": link == here}
                for item, icon, link in items
            ],
        }
        for title, items in shown
    ]


def _closest(path: str, links: list[str]) -> str:
    front_page = reverse("admin:index")
    above = [link for link in links if path.startswith(link) and link != front_page]
    return max(above, key=len, default=front_page if path == front_page else "")


def _may(request: HttpRequest, permission: str) -> bool:
    user: User | AnonymousUser = request.user
    return not permission or user.has_perm(permission)


def no_inline_style(_request: HttpRequest) -> dict[str, Any]:
    """The theme prints its colours into no page: they are in static/fleetwright/theme.css."""
    return {"colors": {}}
