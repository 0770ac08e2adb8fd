"""What can go wrong between us and a device.

DeviceError
 |- DeviceUnreachable      no answer now; asking again may help
 |   |- HostKeyUnknown     first contact: an operator has to confirm the key
 |   |- HostKeyChanged     the device shows another key than the confirmed one
 |   |- LoginRefused       the device does not take our credential
 |- CommandFailed          a command of ours ended with a status that is not 0
 |- CommandTimedOut        a command was still running at its time limit, and was killed
 |- OutOfSpace             the device has no room for what has to go there
 |- DeviceCut              the device went away in the middle of a step: rebooted, or the process is gone
 |- StaleHolder            a newer holder has taken this work over; the device refuses ours
 |- BadReference           a text that cannot be the name of an image
"""

from __future__ import annotations

from portal.core.errors import FleetwrightError


class DeviceError(FleetwrightError):
    code = "DEV-000"


class DeviceUnreachable(DeviceError):
    code = "DEV-100"
    retryable = True


class HostKeyUnknown(DeviceUnreachable):
    """First contact. `offered` is the key in OpenSSH's one-line form, for an operator to confirm."""

    code = "DEV-101"
    retryable = False

    def __init__(self, sentence: str, *, offered: str) -> None:
        super().__init__(sentence)
        self.offered = offered


class HostKeyChanged(DeviceUnreachable):
    """The device shows another host key than the one that was confirmed."""

    code = "DEV-102"
    retryable = False

    def __init__(self, sentence: str, *, offered: str) -> None:
        super().__init__(sentence)
        self.offered = offered


class LoginRefused(DeviceUnreachable):
    code = "DEV-103"
    retryable = False


class CommandFailed(DeviceError):
    """`status` is the exit status, `output` the last of what the command said (at most 2 KiB)."""

    code = "DEV-200"

    def __init__(self, sentence: str, *, status: int, output: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.output = output


class CommandTimedOut(DeviceError):
    code = "DEV-201"


class OutOfSpace(DeviceError):
    code = "DEV-202"


class UnsafeName(DeviceError):
    """A path that is not absolute or climbs, a name that is none, a word that no command line can carry."""

    code = "DEV-203"


class DeviceCut(DeviceError):
    """The device itself was interrupted: its boot id changed, or the process left no exit status."""

    code = "DEV-300"


class StaleHolder(DeviceError):
    """Somebody with a higher fence number works on this device now; whoever gets this must stop at once."""

    code = "DEV-301"


class StepStillRunning(DeviceError):
    """Another step holds the device's step lock. `key` is what the device says that it is: "upgrade/key"."""

    code = "DEV-302"
    retryable = True

    def __init__(self, sentence: str, *, key: str) -> None:
        super().__init__(sentence)
        self.key = key


class BadReference(DeviceError):
    """A text that cannot be the name of an image, a digest or a registry."""

    code = "DEV-400"
