"""Verbs for devices: reach them, learn who they are, trust them, put them in groups. One module for each noun."""

from devices.services.credentials import (
    delete_credential,
    refuse_unreadable_key,
    save_credential,
)
from devices.services.devices import (
    EDITABLE,
    USE_LOCAL_DRIVER,
    confirm_host_key,
    delete_device,
    register_localhost,
    save_device,
)
from devices.services.groups import GUARD, change_members, delete_group, save_group
from devices.services.reach import (
    dialled,
    note_seen,
    note_unreachable,
    opened,
    refresh_device,
    require_way_in,
    secrets_of,
    why_no_way_in,
)

__all__ = [
    "EDITABLE",
    "GUARD",
    "USE_LOCAL_DRIVER",
    "change_members",
    "confirm_host_key",
    "delete_credential",
    "delete_device",
    "delete_group",
    "dialled",
    "note_seen",
    "note_unreachable",
    "opened",
    "refresh_device",
    "refuse_unreadable_key",
    "register_localhost",
    "require_way_in",
    "save_credential",
    "save_device",
    "save_group",
    "secrets_of",
    "why_no_way_in",
]
