"""What can go wrong with artifacts and upgrades.

FleetwrightError
 |- Refused
 |   |- ArtifactRefused       the file is not an artifact that can be deployed; says the rule that it breaks
 |   |   |- ReleaseOverlap    its release has an artifact for the same devices
 |   |- KeyRefused            this is no key that artifacts can be signed or verified with; says why by a rule
 |   |- ModuleRefused         a module's image, or its instance's environment, breaks a rule; says which
 |   |- OrderInvalid          the order of a module update breaks its shape; says where, field by field
 |   |- RepositoryRefused     a repository of modules cannot be added, or its index not be read; says why by a rule
 |   |- ComposeRefused        a container's Compose project cannot be used to make it again; says why by a rule
 |   |   |- ComposeMissing    the device has no Compose that can
 |   |- BackupRefused         a file is not a backup that can be put back, or data cannot be backed up; says why
 |   |- NotCompatible         this artifact does not fit this device
 |   |- TooLate               the upgrade is past the state in which this could be asked
 |   |- NotUndoable           nothing to go back to, or something newer stands on top
 |   |- NotOffered            the device that asks knows of no such upgrade
 |   |- LinkExpired           a device's link to an artifact is not good any more
 |   |- Conflict
 |       |- TargetBusy        another upgrade is active on this target
 |- StepFailed                a step of a recipe failed; what the machine does next is its table's business
 |- LeaseLost                 another worker holds this upgrade now: stop, write nothing
 |- NoArrow                   a bug: an event came in a state that has no arrow for it
"""

from __future__ import annotations

from typing import Any

from portal.core.errors import Conflict, FleetwrightError, Refused


class ArtifactRefused(Refused):
    """The uploaded file breaks a rule. `rule` is a stable word such as `checksum` or `manifest-missing-line`."""

    code = "UPD-100"

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


class ReleaseOverlap(ArtifactRefused):
    """`rule` is `release-overlap`."""

    code = "UPD-105"

    def __init__(self, sentence: str) -> None:
        super().__init__("release-overlap", sentence)


class KeyRefused(Refused):
    """`rule` is a stable word such as `key-unreadable` or `key-size`. The sentence never holds a part of the key."""

    code = "UPD-110"

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


class ModuleRefused(Refused):
    """`rule` is a stable word such as `path-outside` or `same-variable`."""

    code = "UPD-120"

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


class OrderInvalid(Refused):
    """`invalid` says what is wrong: for each fault {"parameter", "error", "value", "field"}, as NethServer's agents do."""

    code = "UPD-130"

    def __init__(self, invalid: list[dict[str, Any]]) -> None:
        faults = ", ".join(f"{fault['field']}: {fault['error']}" for fault in invalid)
        super().__init__(f"The order cannot be read: {faults}.")
        self.invalid = invalid


class RepositoryRefused(Refused):
    """`rule` is a word that repositories' tools know, such as `repodata_not_found`."""

    code = "UPD-121"

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


class ComposeRefused(Refused):
    """`rule` is a stable word such as `file-missing` or `outside`. The sentence never holds a value of a variable."""

    code = "UPD-140"

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


class ComposeMissing(ComposeRefused):
    """`rule` is `compose-missing`."""

    code = "UPD-141"

    def __init__(self, sentence: str) -> None:
        super().__init__("compose-missing", sentence)


class BackupRefused(Refused):
    code = "UPD-142"


class NotCompatible(Refused):
    code = "UPD-101"


class TooLate(Refused):
    code = "UPD-102"


class NotUndoable(Refused):
    code = "UPD-103"


class NotOffered(Refused):
    code = "UPD-106"


class LinkExpired(Refused):
    code = "UPD-107"


class TargetBusy(Conflict):
    """`holder` is the id of the upgrade that is active on the target."""

    code = "UPD-104"

    def __init__(self, sentence: str, *, holder: str) -> None:
        super().__init__(sentence)
        self.holder = holder


class StepFailed(FleetwrightError):
    """A step could not do what its state asks for. `call` names what was running, `output` the last of what it said."""

    code = "UPD-200"

    def __init__(self, sentence: str, *, call: str = "", output: str = "") -> None:
        super().__init__(sentence)
        self.call = call
        self.output = output


class LeaseLost(FleetwrightError):
    code = "UPD-300"


class NoArrow(Exception):
    """The table has no cell for this event in this state: somebody's bug, and never to be waved through."""
