"""What can be installed, who ordered it for whom, and what happened. `Upgrade.state` is written by `updates.journal` alone."""

from updates.models.artifact import Artifact
from updates.models.check import Check
from updates.models.container_check import ContainerCheck
from updates.models.deployment import Deployment
from updates.models.image_check import ImageCheck
from updates.models.image_removal import ImageRemoval, ImageRemovalPart
from updates.models.installation import Installation
from updates.models.module import Instance, Module
from updates.models.module_check import CarriedModule, ModuleCheck
from updates.models.module_order import ModuleOrder
from updates.models.release import Release, ReleaseTag
from updates.models.repository import Repository
from updates.models.signing_key import SigningKey
from updates.models.trusted_key import TrustedKey
from updates.models.update_module import UpdateModule
from updates.models.upgrade import Upgrade, UpgradeEvent, choices
from updates.models.watched import Backup, WatchedContainer

__all__ = [
    "Artifact",
    "Backup",
    "CarriedModule",
    "Check",
    "ContainerCheck",
    "Deployment",
    "ImageCheck",
    "ImageRemoval",
    "ImageRemovalPart",
    "Installation",
    "Instance",
    "Module",
    "ModuleCheck",
    "ModuleOrder",
    "Release",
    "ReleaseTag",
    "Repository",
    "SigningKey",
    "TrustedKey",
    "UpdateModule",
    "Upgrade",
    "UpgradeEvent",
    "WatchedContainer",
    "choices",
]
