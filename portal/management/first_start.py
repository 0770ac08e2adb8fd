"""What the portal's own database and device need before the portal can run."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError, connection, transaction

from devices.models import Device
from devices.services import register_localhost
from portal.core import audit
from portal.core.actors import PORTAL
from portal.supervisor.errors import CannotStart

ADMIN: Final = "admin"
LOCALHOST_TYPE: Final = "localhost"


def refuse_missing_database() -> None:
    """Nothing, or CannotStart when the database does not answer."""
    try:
        connection.ensure_connection()
    except OperationalError as error:
        place = connection.settings_dict["HOST"] or connection.settings_dict["NAME"]
        reason = str(error).strip().splitlines()[0]
        raise CannotStart(f"The database at {place} does not answer: {reason}") from None


def migrate() -> None:
    """The database has all tables of this version."""
    call_command("migrate", interactive=False, verbosity=0)


def make_static_folder() -> None:
    """The folder that static files may be collected in is there, full or not: the web server warns without it."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


def make_admin() -> str | None:
    """The password of a new superuser `admin`, told this once; None where there is a superuser already."""
    with transaction.atomic():
        if User.objects.filter(is_superuser=True).exists():
            return None
        password = secrets.token_urlsafe(12)
        admin, _ = User.objects.get_or_create(username=ADMIN)
        admin.is_staff = admin.is_superuser = admin.is_active = True
        admin.set_password(password)
        admin.save()
        audit.record(actor=PORTAL, action="user.create", subject=admin)
    return password


def register_this_machine(root: Path) -> Device:
    """This machine is the device `localhost`, whose `/` is the folder `root`."""
    root.mkdir(parents=True, exist_ok=True)
    return register_localhost(root=str(root), device_type=LOCALHOST_TYPE, actor=PORTAL)
