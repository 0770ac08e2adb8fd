"""What the admin's sidebar leads to, and what its command palette finds: for each user, what they may see."""

from __future__ import annotations

from string import hexdigits
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Model, Q
from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from devices.models import Device
from devices.queries import find_devices
from patches.models import Node, Patch
from updates.models import Artifact, Deployment, Instance, Release, WatchedContainer
from updates.queries import history

GROUPS = (
    (
        "",
        (
            ("Overview", "dashboard", "admin:index", ""),
            ("Releases", "new_releases", "admin:updates_release_changelist", "updates.view_release"),
            ("Artifacts", "deployed_code", "admin:updates_artifact_changelist", "updates.view_artifact"),
            ("Deployments", "rocket_launch", "admin:updates_deployment_changelist", "updates.view_deployment"),
            ("History", "history", "admin:updates_upgrade_changelist", "updates.view_upgrade"),
            ("Stuck", "hourglass_disabled", "admin:updates_upgrade_stuck", "updates.view_upgrade"),
            ("Update Modules", "extension", "admin:updates_updatemodule_changelist", "updates.view_updatemodule"),
            ("Trusted keys", "verified_user", "admin:updates_trustedkey_changelist", "updates.view_trustedkey"),
            ("Signing keys", "signature", "admin:updates_signingkey_changelist", "updates.view_signingkey"),
        ),
    ),
    (
        "Running systems",
        (
            ("Patches", "healing", "admin:patches_patch_changelist", "patches.view_patch"),
            ("Instances", "dns", "admin:updates_instance_changelist", "updates.view_instance"),
            ("Nodes", "hub", "admin:patches_node_changelist", "patches.view_node"),
            ("Updates", "update", "admin:updates_installation_available", "updates.view_installation"),
            ("Module orders", "system_update_alt", "admin:updates_moduleorder_changelist", "updates.view_moduleorder"),
            ("Image checks", "fact_check", "admin:updates_imagecheck_changelist", "updates.view_imagecheck"),
            ("Installations", "package_2", "admin:updates_installation_changelist", "updates.view_installation"),
            ("Containers", "inventory", "admin:updates_watchedcontainer_changelist", "updates.view_watchedcontainer"),
            ("Backups", "settings_backup_restore", "admin:updates_backup_changelist", "updates.view_backup"),
            ("Image removals", "delete_sweep", "admin:updates_imageremoval_changelist", "updates.view_imageremoval"),
            ("Modules", "widgets", "admin:updates_module_changelist", "updates.view_module"),
            ("Repositories", "inventory_2", "admin:updates_repository_changelist", "updates.view_repository"),
        ),
    ),
    (
        "Fleet",
        (
            ("Devices", "devices", "admin:devices_device_changelist", "devices.view_device"),
            ("Enrolment", "how_to_reg", "admin:devices_authset_changelist", "devices.view_authset"),
            ("Groups", "workspaces", "admin:devices_devicegroup_changelist", "devices.view_devicegroup"),
            ("Credentials", "key", "admin:devices_credential_changelist", "devices.view_credential"),
            ("Registry logins", "passkey", "admin:devices_registrylogin_changelist", "devices.view_registrylogin"),
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


VERBS: Final = (
    ("Upload artifact", "upload_file", "admin:updates_artifact_upload", "updates.upload_artifact"),
    ("Deploy artifact", "rocket_launch", "admin:updates_deployment_deploy", "updates.deploy_artifact"),
    ("Upload Update Module", "extension", "admin:updates_updatemodule_upload", "updates.upload_updatemodule"),
    ("Update instances", "system_update_alt", "admin:updates_moduleorder_update", "updates.order_module"),
    ("Upload patch", "healing", "admin:patches_patch_upload", "patches.upload_patch"),
    ("The portal itself", "conveyor_belt", "admin:updates_watchedcontainer_portal", "updates.view_watchedcontainer"),
    ("Patches", "healing", "admin:patches_patch_changelist", "patches.view_patch"),
    ("Nodes", "hub", "admin:patches_node_changelist", "patches.view_node"),
    ("Add node", "add_circle", "admin:patches_node_add", "patches.add_node"),
    ("Add instance", "add_circle", "admin:updates_instance_add", "updates.add_instance"),
    ("Add module", "add_circle", "admin:updates_module_add", "updates.add_module"),
    ("Add device", "add_circle", "admin:devices_device_add", "devices.add_device"),
    ("Devices that ask to be let in", "how_to_reg", "admin:devices_authset_changelist", "devices.view_authset"),
    ("Preauthorise a device", "how_to_reg", "admin:devices_authset_preauthorise", "devices.decide_authset"),
    ("Add repository", "add_circle", "admin:updates_repository_new", "updates.add_repository"),
    ("Stuck upgrades", "hourglass_disabled", "admin:updates_upgrade_stuck", "updates.view_upgrade"),
    ("History of upgrades", "history", "admin:updates_upgrade_changelist", "updates.view_upgrade"),
    ("Overview", "dashboard", "admin:index", ""),
)  # fmt: skip
"""Pages that the command palette finds: title, icon, address and needed permission of each."""

FOUND: Final = 8
SHORTEST_ID: Final = 4
ID_DIGITS: Final = 32


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


def find(request: HttpRequest, words: str) -> list[SearchResult]:
    """Verbs; devices, artifacts, patches, nodes and the like by name, upgrades by the beginning of their id: a few of each."""
    found = [
        SearchResult(title, "Page", reverse(address), icon)
        for title, icon, address, permission in VERBS
        if words.lower() in title.lower() and _may(request, permission)
    ]
    for permission, search in SEARCHES:
        if _may(request, permission):
            found += search(words)
    return found


def _devices(words: str) -> list[SearchResult]:
    return [
        _result(device, f"Device, {device.device_type}", "devices")
        for device in find_devices(Device.objects.all(), words)[:FOUND]
    ]


def _releases(words: str) -> list[SearchResult]:
    return [
        _result(release, "Release", "new_releases")
        for release in Release.objects.filter(name__icontains=words)[:FOUND]
    ]


def _artifacts(words: str) -> list[SearchResult]:
    return [
        _result(artifact, f"Artifact, {artifact.payload_type}", "deployed_code")
        for artifact in Artifact.objects.filter(name__icontains=words)[:FOUND]
    ]


def _deployments(words: str) -> list[SearchResult]:
    named = Q(name__icontains=words)
    begun = _begins_with(words)
    return [
        _result(deployment, f"Deployment, {deployment.created_at:%Y-%m-%d}", "rocket_launch")
        for deployment in Deployment.objects.filter(named | begun if begun else named)[:FOUND]
    ]


def _patches(words: str) -> list[SearchResult]:
    return [
        _result(patch, f"Patch of {patch.module} {patch.version}", "healing")
        for patch in Patch.objects.filter(name__icontains=words).select_related("module")[:FOUND]
    ]


def _nodes(words: str) -> list[SearchResult]:
    named = Node.objects.filter(name__icontains=words).defer("secret", "tls_key")
    return [
        _result(node, f"Node of {node.instance}", "hub")
        for node in named.select_related("instance")[:FOUND]
    ]


def _instances(words: str) -> list[SearchResult]:
    named = Instance.objects.filter(name__icontains=words)
    return [
        _result(instance, f"Instance of {instance.module} {instance.version}", "dns")
        for instance in named.select_related("module")[:FOUND]
    ]


def _watched(words: str) -> list[SearchResult]:
    named = WatchedContainer.objects.filter(
        Q(instance__name__icontains=words) | Q(image__icontains=words), unwatched_at=None
    )
    return [
        _result(watched, f"Watched container, {watched.image}", "inventory")
        for watched in named.select_related("instance")[:FOUND]
    ]


def _upgrades(words: str) -> list[SearchResult]:
    begun = _begins_with(words)
    if begun is None:
        return []
    return [
        _result(upgrade, f"Upgrade {upgrade.pk}", "history")
        for upgrade in history().filter(begun)[:FOUND]
    ]


def _begins_with(words: str) -> Q | None:
    """The ids that begin with `words`, as a range that an index finds; None when no id does."""
    digits = words.replace("-", "").lower()
    if not SHORTEST_ID <= len(digits) <= ID_DIGITS or set(digits) - set(hexdigits):
        return None
    return Q(pk__range=(UUID(digits.ljust(ID_DIGITS, "0")), UUID(digits.ljust(ID_DIGITS, "f"))))


def _result(row: Model, says: str, icon: str) -> SearchResult:
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return SearchResult(str(row), says, address, icon)


SEARCHES: Final = (
    ("devices.view_device", _devices),
    ("updates.view_release", _releases),
    ("updates.view_artifact", _artifacts),
    ("updates.view_deployment", _deployments),
    ("patches.view_patch", _patches),
    ("patches.view_node", _nodes),
    ("updates.view_instance", _instances),
    ("updates.view_watchedcontainer", _watched),
    ("updates.view_upgrade", _upgrades),
)
"""Who may use it, and what finds."""


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
