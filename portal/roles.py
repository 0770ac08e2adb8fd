"""The four roles: Django groups that a migration makes. Whoever does two jobs is in two groups; what they may do adds up.

A change of the table needs a migration with the same change (`grant`, `revoke`): a test compares the database with the table,
and another one the table with the permissions that there are, so that none is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Final

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

Grants = Mapping[str, Sequence[str]]
"""Permissions ("app.codename") by role."""

TABLE: Final = """
                                  viewer  operator  approver  administrator

updates.view_artifact                x       x         x          x
updates.view_updatemodule            x       x         x          x
updates.view_deployment              x       x         x          x
updates.view_upgrade                 x       x         x          x
updates.view_upgradeevent            x       x         x          x
updates.view_check                   x       x         x          x
updates.view_release                 x       x         x          x
updates.view_modulecheck             x       x         x          x
updates.view_trustedkey              x       x         x          x
updates.view_signingkey              x       x         x          x
updates.view_module                  x       x         x          x
updates.view_instance                x       x         x          x
updates.view_installation            x       x         x          x
updates.view_moduleorder             x       x         x          x
updates.view_imagecheck              x       x         x          x
updates.view_imageremoval            x       x         x          x
updates.view_repository              x       x         x          x
updates.view_watchedcontainer        x       x         x          x
updates.view_backup                  x       x         x          x
updates.view_containercheck          x       x         x          x
patches.view_patch                   x       x         x          x
patches.view_node                    x       x         x          x
patches.view_patchcheck              x       x         x          x
patches.view_noderesult              x       x         x          x
patches.view_application             x       x         x          x
patches.view_keptfiles               x       x         x          x
devices.view_device                  x       x         x          x
devices.view_devicegroup             x       x         x          x
devices.view_credential              x       x         x          x
devices.view_engineaccess            x       x         x          x
devices.view_registrylogin           x       x         x          x
devices.view_authset                 x       x         x          x
core.view_auditevent                 x       x         x          x

updates.upload_artifact              -       x         -          x
updates.upload_updatemodule          -       x         -          x
updates.change_release               -       x         -          x
updates.withdraw_release             -       x         x          x
updates.use_signingkey               -       x         -          x
updates.check_artifact               -       x         -          x
updates.apply_artifact               -       x         -          x
updates.deploy_artifact              -       x         -          x
updates.cancel_upgrade               -       x         -          x
updates.retry_upgrade                -       x         -          x
updates.roll_back_upgrade            -       x         -          x
updates.add_module                   -       x         -          x
updates.change_module                -       x         -          x
updates.add_instance                 -       x         -          x
updates.change_instance              -       x         -          x
updates.change_installation          -       x         -          x
updates.order_module                 -       x         -          x
updates.check_image                  -       x         -          x
updates.remove_image                 -       x         -          x
updates.upgrade_container            -       x         -          x
updates.add_watchedcontainer         -       x         -          x
updates.change_watchedcontainer      -       x         -          x
updates.add_backup                   -       x         -          x
updates.fetch_repository             -       x         -          x
patches.upload_patch                 -       x         -          x
patches.check_patch                  -       x         -          x
patches.apply_patch                  -       x         -          x
patches.delete_patch                 -       x         -          x
patches.look_at_node                 -       x         -          x
patches.restart_node                 -       x         -          x
devices.refresh_device               -       x         -          x
devices.add_device                   -       x         -          x
devices.change_device                -       x         -          x
devices.add_devicegroup              -       x         -          x
devices.change_devicegroup           -       x         -          x
devices.delete_devicegroup           -       x         -          x
devices.decide_authset               -       x         -          x
core.share_savedfilter               -       x         -          x

devices.confirm_host_key             -       -         x          x
updates.override_module              -       -         x          x
updates.force_container              -       -         x          x
updates.restore_backup               -       -         x          x
updates.delete_backup                -       -         x          x
patches.override_patch               -       -         x          x
updates.force_cancel_upgrade         -       -         x          x
updates.recover_upgrade              -       -         x          x
updates.delete_artifact              -       -         x          x

devices.delete_device                -       -         -          x
devices.decommission_device          -       -         -          x
patches.add_node                     -       -         -          x
patches.change_node                  -       -         -          x
patches.delete_node                  -       -         -          x
patches.set_restart_command          -       -         -          x
devices.use_local_driver             -       -         -          x
updates.upgrade_portal               -       -         -          x
devices.guard_devicegroup            -       -         -          x
updates.add_repository               -       -         -          x
updates.change_repository            -       -         -          x
updates.delete_repository            -       -         -          x
updates.add_trustedkey               -       -         -          x
updates.delete_trustedkey            -       -         -          x
updates.add_signingkey               -       -         -          x
updates.delete_signingkey            -       -         -          x
devices.add_credential               -       -         -          x
devices.change_credential            -       -         -          x
devices.delete_credential            -       -         -          x
devices.add_engineaccess             -       -         -          x
devices.change_engineaccess          -       -         -          x
devices.delete_engineaccess          -       -         -          x
devices.add_registrylogin            -       -         -          x
devices.change_registrylogin         -       -         -          x
devices.delete_registrylogin         -       -         -          x
core.view_apitoken                   -       -         -          x
core.add_apitoken                    -       -         -          x
core.change_apitoken                 -       -         -          x
core.delete_apitoken                 -       -         -          x
auth.view_user                       -       -         -          x
auth.add_user                        -       -         -          x
auth.change_user                     -       -         -          x
auth.delete_user                     -       -         -          x
auth.view_group                      -       -         -          x
auth.add_group                       -       -         -          x
auth.change_group                    -       -         -          x
auth.delete_group                    -       -         -          x
second_factor.view_authenticator     -       -         -          x
second_factor.delete_authenticator   -       -         -          x
axes.view_accessattempt              -       -         -          x
axes.delete_accessattempt            -       -         -          x
django_rq.admin                      -       -         -          x

core.add_auditevent                  -       -         -          -
core.change_auditevent               -       -         -          -
core.delete_auditevent               -       -         -          -
"""
"""Who may do what. The last rows are Django's own, for rows that nobody writes by hand."""


def _read(table: str) -> tuple[list[str], list[list[str]]]:
    head, *rows = (line.split() for line in table.splitlines() if line.strip())
    return head, rows


def _granted(table: str) -> dict[str, frozenset[str]]:
    roles, rows = _read(table)
    return {
        role: frozenset(row[0] for row in rows if row[1 + column] == "x")
        for column, role in enumerate(roles)
    }


ROLES: Final = _granted(TABLE)
"""The permissions of each role."""

DECIDED: Final = frozenset(row[0] for row in _read(TABLE)[1])
"""Every permission that the table has a row for."""


def grant(apps: Apps, editor: BaseDatabaseSchemaEditor, grants: Grants) -> None:
    """For a migration: the groups exist and hold these permissions too, which are made where Django has not yet done so.

    LookupError for a permission that no model of the migration's own state has: it lacks a dependency.
    """
    alias = editor.connection.alias
    _make_permissions(apps, alias)
    for role, permissions in grants.items():
        group, _ = apps.get_model("auth", "Group").objects.using(alias).get_or_create(name=role)
        group.permissions.add(*(_find(apps, alias, name) for name in permissions))


def revoke(apps: Apps, editor: BaseDatabaseSchemaEditor, grants: Grants) -> None:
    """For a migration: the groups that exist do not hold these permissions."""
    alias = editor.connection.alias
    for group in apps.get_model("auth", "Group").objects.using(alias).filter(name__in=grants):
        group.permissions.remove(*(_find(apps, alias, name) for name in grants[group.name]))


def _make_permissions(apps: Apps, alias: str) -> None:
    """Django makes them after the last migration, which is too late for one that grants them."""
    for app in apps.get_app_configs():
        # A migration's apps have no modules, and Django makes permissions only for apps with one.
        app.models_module = ModuleType(app.name)
        create_permissions(app, verbosity=0, interactive=False, using=alias, apps=apps)


def _find(apps: Apps, alias: str, name: str) -> Permission:
    app, codename = name.split(".")
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    found: Permission | None = permissions.filter(
        content_type__app_label=app, codename=codename
    ).first()
    if found is None:
        raise LookupError(f"There is no permission {name} yet.")
    return found
