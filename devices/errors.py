"""What can go wrong between us and a device.

DeviceError
 |- DeviceUnreachable      no answer now; asking again may help
 |   |- HostKeyUnknown     first contact: an operator has to confirm the key
 |   |- HostKeyChanged     the device shows another key than the confirmed one
 |   |- LoginRefused       the device does not take our credential
 |   |- EngineUnreachable  its Docker Engine gives no answer, or the connection broke
 |   |- NeverReached       it asks us, and we never ask it
 |- CommandFailed          a command of ours ended with a status that is not 0
 |- CommandTimedOut        a command was still running at its time limit, and was killed
 |- OutOfSpace             the device has no room for what has to go there
 |- DeviceCut              the device went away in the middle of a step: rebooted, or the process is gone
 |- StaleHolder            a newer holder has taken this work over; the device refuses ours
 |- BadReference           a text that cannot be the name of an image
 |- EngineRefused          the Docker Engine says no, in words of its own
 |   |- NoSuchImage        there is none of that name
 |   |- NoSuchPath         an image has nothing there
 |   |- NoSuchVolume       there is none of that name
 |   |- NoSuchContainer    there is none of that name
 |   |- NameTaken          another container has the name
 |   |- InUse              containers need it; they are named
 |       |- ImageInUse
 |       |- VolumeInUse
 |- BrokenTar              a tar stream that ends too early, or is none
 |- PullFailed             an image did not come: what the registry said
 |- HealthFailed           what was started does not work in time
 |- RegistryError          what was asked of a registry directly
 |   |- RegistryUnreachable  no answer now
 |   |- RegistryRefused    it wants a login, does not let us in, or has heard too much of us
 |   |- NotInRegistry      it has no such image
 |   |- NoSuchPlatform     it has the image for other platforms only

AskedWrongly               what a device that pulls, or something that plays one, asks of us
 |- NotLetIn               nobody let it in, or not any more: it learns nothing else
 |- Unreadable             it sent something that is not of the protocol
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


class EngineUnreachable(DeviceUnreachable):
    """The device's Docker Engine does not answer, or the connection to it broke."""

    code = "DEV-104"


class NeverReached(DeviceUnreachable):
    """The device pulls by itself: there is no way to it, and nobody is to blame."""

    code = "DEV-105"
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


class EngineRefused(DeviceError):
    """The Docker Engine answers with an error: `said` are its words, `status` is HTTP's (0: we asked no further)."""

    code = "DEV-410"

    def __init__(self, sentence: str, *, status: int = 0, said: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.said = said


class NoSuchImage(EngineRefused):
    code = "DEV-411"


class NoSuchPath(EngineRefused):
    code = "DEV-412"


class NoSuchVolume(EngineRefused):
    code = "DEV-413"


class NoSuchContainer(EngineRefused):
    code = "DEV-440"


class NameTaken(EngineRefused):
    """Another container has the name that one was to get."""

    code = "DEV-441"


class InUse(EngineRefused):
    """`containers` are the names of those that need it, stopped ones too."""

    code = "DEV-417"

    def __init__(self, sentence: str, *, containers: list[str]) -> None:
        super().__init__(sentence)
        self.containers = containers


class ImageInUse(InUse):
    code = "DEV-414"


class VolumeInUse(InUse):
    code = "DEV-415"


class BrokenTar(DeviceError):
    """A tar stream ended before its end mark, or is none. A whole one may come the next time."""

    code = "DEV-418"
    retryable = True


class PullFailed(DeviceError):
    """An image did not come. Asking again may help: what came already is kept by the engine."""

    code = "DEV-416"
    retryable = True


class HealthFailed(DeviceError):
    """What was started does not work in time. `said`: each probe's name, with what it said last or `passed`."""

    code = "DEV-430"

    def __init__(self, sentence: str, *, said: list[tuple[str, str]]) -> None:
        super().__init__(sentence)
        self.said = said


class RegistryError(DeviceError):
    """Something that a registry was asked for directly, without an engine."""

    code = "DEV-420"


class RegistryUnreachable(RegistryError):
    code = "DEV-421"
    retryable = True


class RegistryRefused(RegistryError):
    """`retry_seconds`: after how long the registry wants to be asked again; None where it does not say."""

    code = "DEV-422"

    def __init__(self, sentence: str, *, retry_seconds: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_seconds = retry_seconds


class NotInRegistry(RegistryError):
    code = "DEV-423"


class NoSuchPlatform(RegistryError):
    """`platforms`: for which there is one, as `linux/arm64/v8`."""

    code = "DEV-424"

    def __init__(self, sentence: str, *, platforms: list[str]) -> None:
        super().__init__(sentence)
        self.platforms = platforms


class AskedWrongly(FleetwrightError):
    """Nothing was stored and nothing was done of what it asked for."""

    code = "ASK-000"


class NotLetIn(AskedWrongly):
    """Whoever it is hears the same: that it was refused, rejected, forgotten or never known is nobody's business."""

    code = "ASK-001"

    def __init__(self) -> None:
        super().__init__("This device is not let in.")


class Unreadable(AskedWrongly):
    code = "ASK-002"
