"""Django system checks for what no type checker sees: names in settings, and settings that must fit the machine's table.

portal.E001    a dotted name leads nowhere
portal.E002    settings.KINDS and updates.plan.Kind differ
portal.E003    settings.STATE_LIMIT_SECONDS lacks an active state, knows one too many, or has a limit of no time
portal.E004    settings.FIELD_KEYS holds no key, or something that is none
portal.E005    a lease would lapse between two heartbeats
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cryptography.fernet import Fernet
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

from updates.machine import ACTIVE
from updates.plan import Kind

CHECK_JOB = "updates.dispatch.CHECK_JOB"
ORDER_VERBS = ("again", "back", "placed", "refuse_not_undoable")
"""What a module of `settings.ORDERS` has: see `updates.services.kinds.KindOrders`."""
BULK_JOB = "devices.services.bulk.JOB"
ENGINE_JOB = "devices.services.engine_looks.JOB"
IMAGE_JOB = "updates.services.local_images.JOB"


def register_checks() -> None:
    """`manage.py check`, and every command that checks first, runs these."""
    for check in (check_names, check_kinds, check_limits, check_field_keys, check_lease):
        register(check)


def check_names(
    app_configs: Sequence[AppConfig] | None,
    **_: Any,  # noqa: ANN401 - as Django has it
) -> list[CheckMessage]:
    """RQ and the journal take names on trust: a misspelt one would be found out in the middle of an upgrade."""
    named = {
        **{f"settings.KINDS[{kind!r}]": name for kind, name in settings.KINDS.items()},
        **{f"settings.UPGRADE_FINISHED, {name}": name for name in settings.UPGRADE_FINISHED},
        **{f"settings.RECOVERED, {name}": name for name in settings.RECOVERED},
        **{
            f"settings.DEVICE_DECOMMISSIONED, {name}": name
            for name in settings.DEVICE_DECOMMISSIONED
        },
        **{
            f"settings.UPGRADE_PANELS[{kind!r}]": name
            for kind, name in settings.UPGRADE_PANELS.items()
        },
        **{f"settings.ADVICE[{kind!r}]": name for kind, name in settings.ADVICE.items()},
        **{
            f"settings.ORDERS[{kind!r}].{verb}": f"{name}.{verb}"
            for kind, name in settings.ORDERS.items()
            for verb in ORDER_VERBS
        },
        CHECK_JOB: import_string(CHECK_JOB),
        BULK_JOB: import_string(BULK_JOB),
        ENGINE_JOB: import_string(ENGINE_JOB),
        IMAGE_JOB: import_string(IMAGE_JOB),
        "settings.START_JOB": settings.START_JOB,
        "settings.OUTDATED": settings.OUTDATED,
        "settings.ORDERS_OF_PATCH": settings.ORDERS_OF_PATCH,
    }
    return [
        Error(f"{place}: {problem}", id="portal.E001")
        for place, name in named.items()
        for problem in _problems_of(name)
    ]


def check_kinds(
    app_configs: Sequence[AppConfig] | None,
    **_: Any,  # noqa: ANN401
) -> list[CheckMessage]:
    known, tables = {kind.value for kind in Kind}, (set(settings.KINDS), set(settings.ORDERS))
    given, complete = set.union(*tables), set.intersection(*tables)
    return [
        *(
            Error(f"No job carries out {kind!r}, or nobody orders it.", id="portal.E002")
            for kind in sorted(known - complete)
        ),
        *(Error(f"There is no kind {kind!r}.", id="portal.E002") for kind in sorted(given - known)),
    ]


def check_limits(
    app_configs: Sequence[AppConfig] | None,
    **_: Any,  # noqa: ANN401
) -> list[CheckMessage]:
    limits = settings.STATE_LIMIT_SECONDS
    active = {state.value for state in ACTIVE}
    return [
        *(
            Error(f"The state {state!r} has no time limit.", id="portal.E003")
            for state in sorted(active - set(limits))
        ),
        *(
            Error(f"There is no active state {state!r} to limit.", id="portal.E003")
            for state in sorted(set(limits) - active)
        ),
        *(
            Error(f"The state {state!r} has no time at all.", id="portal.E003")
            for state, seconds in limits.items()
            if seconds <= 0
        ),
    ]


def check_field_keys(
    app_configs: Sequence[AppConfig] | None,
    **_: Any,  # noqa: ANN401
) -> list[CheckMessage]:
    if not settings.FIELD_KEYS:
        return [Error("FIELD_KEYS is empty: secrets could not be stored.", id="portal.E004")]
    return [
        Error(f"Key {number} of FIELD_KEYS is no Fernet key.", id="portal.E004")
        for number, key in enumerate(settings.FIELD_KEYS, start=1)
        if not _is_fernet_key(key)
    ]


def check_lease(
    app_configs: Sequence[AppConfig] | None,
    **_: Any,  # noqa: ANN401
) -> list[CheckMessage]:
    if 0 < settings.HEARTBEAT_SECONDS * 2 <= settings.LEASE_SECONDS:
        return []
    return [
        Error(
            "LEASE_SECONDS must be at least twice HEARTBEAT_SECONDS, or a worker loses what it holds.",
            id="portal.E005",
        )
    ]


def _problems_of(name: str) -> Iterator[str]:
    try:
        found = import_string(name)
    except ImportError as error:
        yield str(error)
    else:
        if not callable(found):
            yield f"{name} is not a function."


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True
