"""The database that is measured: in a server of the bench's own, or in the one that TEST_POSTGRES_URL names."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from secrets import token_hex

import psycopg
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from bench.fleet_data import Size, fill, settle
from devices.models import Device, DeviceGroup
from portal.core.fields import EncryptedTextField
from portal.core.models import AuditEvent
from updates.models import (
    Artifact,
    Check,
    Deployment,
    Installation,
    ModuleCheck,
    ModuleOrder,
    TrustedKey,
    UpdateModule,
    Upgrade,
    UpgradeEvent,
)

SERVER_VARIABLE = "DATABASE_URL"
SETTINGS = {"random_page_cost": "1.1"}
"""What the portal's documentation asks of a PostgreSQL on anything but turning disks; everything else is as it comes."""


def make_database() -> None:
    """The database of the settings exists and has today's tables. One that was there before is brought up to date."""
    url = os.environ[SERVER_VARIABLE]
    server, _, name = url.rpartition("/")
    with closing(psycopg.connect(f"{server}/postgres", autocommit=True)) as maintenance:
        found = maintenance.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if found.fetchone() is None:
            maintenance.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        for setting, value in SETTINGS.items():
            change = sql.SQL("ALTER DATABASE {} SET {} = {}")
            maintenance.execute(change.format(*map(sql.Identifier, (name, setting)), value))
    call_command("migrate", verbosity=0)


def fill_once(size: Size) -> Iterator[str]:
    """The fleet is in the database; a database that holds devices already is taken as it is. Gives a line for each step."""
    if Device.objects.exists():
        yield "The database holds a fleet already: it is measured as it is."
        _give_new_secrets()
        return
    begun = time.monotonic()
    for step in fill(size):
        yield f"{time.monotonic() - begun:7.1f} s  {step}"
    settle()
    yield f"{time.monotonic() - begun:7.1f} s  vacuum and analyze"


def _give_new_secrets() -> None:
    """Whatever is encrypted can be read again: the key of the run that wrote it is gone."""
    for model in apps.get_models():
        for field in model._meta.fields:
            if isinstance(field, EncryptedTextField):
                filled = model._default_manager.exclude(**{field.name: ""})
                filled.update(**{field.name: token_hex()})


def rows() -> dict[str, int]:
    """How many of each there are."""
    models = (
        Device, DeviceGroup, Artifact, TrustedKey, UpdateModule, ModuleCheck, Installation, ModuleOrder,
        Deployment, Upgrade, UpgradeEvent, Check, AuditEvent,
    )  # fmt: skip
    return {
        str(model._meta.verbose_name_plural): model._default_manager.count() for model in models
    }


def yardstick_ms() -> float:
    """What the server needs now to count a million made-up rows, in milliseconds: the median of five counts of a fifth of them.

    Figures divided by it can be compared between machines, and between quiet and busy hours.
    """
    times = []
    with connection.cursor() as cursor:
        for _ in range(5):
            begun = time.perf_counter()
            cursor.execute("SELECT count(*) FROM generate_series(1, 200000)")
            cursor.fetchall()
            times.append((time.perf_counter() - begun) * 5000)
    return statistics.median(times)
