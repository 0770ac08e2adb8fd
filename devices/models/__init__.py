"""Devices, their groups, what opens them, and who asks to be one."""

from devices.models.bulk_order import BulkOrder
from devices.models.credential import Credential
from devices.models.device import UNKNOWN_TYPE, Device
from devices.models.engine import EngineAccess, EngineLook
from devices.models.group import DeviceGroup
from devices.models.identity import AuthSet, DeviceIdentity
from devices.models.installed import InstalledRecord
from devices.models.registry_login import RegistryLogin
from devices.models.selection import StoredSelection
from devices.models.stored_import import StoredImport
from devices.models.words import (
    ABSOLUTE,
    INCONSISTENT,
    LONGEST_TYPE,
    NAME,
    installed_name,
    is_device_type,
)

__all__ = [
    "ABSOLUTE",
    "INCONSISTENT",
    "LONGEST_TYPE",
    "NAME",
    "UNKNOWN_TYPE",
    "AuthSet",
    "BulkOrder",
    "Credential",
    "Device",
    "DeviceGroup",
    "DeviceIdentity",
    "EngineAccess",
    "EngineLook",
    "InstalledRecord",
    "RegistryLogin",
    "StoredImport",
    "StoredSelection",
    "installed_name",
    "is_device_type",
]
