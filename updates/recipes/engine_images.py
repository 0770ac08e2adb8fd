"""The images of one upgrade: found without a download where they are, fetched where they are not, kept for the way back."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol, Self

from devices.drivers.engine import Engine, Image, Platform, RegistryLogin
from devices.drivers.references import parse_reference
from devices.errors import BadReference, DeviceError
from updates.errors import StepFailed
from updates.runner import Context

KEEP: Final = "fleetwright.local/kept"
"""The repository whose tags hold images that a way back wants: no engine fetches from there, and no pruning takes them."""


class Manifest(Protocol):
    """What a registry says of an image: `digest` of what the tag names, `labels`, `size` in bytes to be fetched, `platform`."""

    @property
    def digest(self) -> str: ...

    @property
    def platform(self) -> Platform: ...

    @property
    def labels(self) -> dict[str, str]: ...

    @property
    def size(self) -> int: ...


AskRegistry = Callable[[str, Platform], Manifest]
"""What the registry has under a reference, for that platform. A DeviceError with the registry's words when it has it not."""

LoginFor = Callable[[str], RegistryLogin | None]
"""Who we are to the registry of a reference."""


@dataclass(frozen=True, slots=True)
class Found:
    """An image that a reference means. `id` is empty while the engine does not have it; `size` is what it takes there.

    `platform` is what it says itself that it is for, `linux/arm/v7`.
    """

    reference: str
    id: str
    digest: str
    size: int
    platform: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, reference: str, image: Image) -> Self:
        """That image of the engine."""
        digest = digest_of(image, reference)
        return cls(reference, image.id, digest, image.size, str(image.platform))


class Images:
    """The images of one upgrade on one engine, with what its plan says. Logins are asked for when they are needed.

    `force` asks the registry also for what the engine has.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        upgrade: str,
        force: bool,
        ask_registry: AskRegistry,
        login_for: LoginFor,
    ) -> None:
        self._engine = engine
        self._upgrade = upgrade
        self._force = force
        self._ask_registry = ask_registry
        self._login_for = login_for

    def resolve(self, reference: str) -> tuple[Found, dict[str, str]]:
        """What the reference means, and its labels: the engine's own image, or what the registry has. DeviceError if neither."""
        here = self._engine.image(reference)
        if here is not None and not self._force:
            return Found.of(reference, here), here.labels
        manifest = self._ask_registry(reference, self._engine.platform())
        platform = str(manifest.platform)
        return Found(reference, "", manifest.digest, manifest.size, platform), manifest.labels

    def fetch(self, wanted: Found, context: Context, *, share: tuple[float, float]) -> Found:
        """The engine has the image; one that it had is left as it is. `share` is the part of the state's progress."""
        if wanted.id:
            return wanted
        begin, end = share
        image = self._engine.pull(
            wanted.reference,
            login=self._login_for(wanted.reference),
            on_progress=lambda done: context.journal.progress(begin + (end - begin) * done),
            on_tick=context.tick,
            limit_seconds=max(1.0, context.journal.seconds_left()),
        )
        if wanted.digest not in (image.id, *(one.partition("@")[2] for one in image.digests)):
            raise StepFailed(
                f"{wanted.reference} is another image by now than it was when it was checked: order it again."
            )
        context.journal.note(f"{wanted.reference} was fetched.", call="pull")
        return Found.of(wanted.reference, image)

    def fetch_by_digest(self, wanted: Found, context: Context) -> Found:
        """The engine has exactly this image, whatever its tag means by now, and our own tag keeps it from being pruned."""
        by_digest = f"{parse_reference(wanted.reference).repository}@{wanted.digest}"
        asked = Found(by_digest, wanted.id, wanted.digest, wanted.size)
        here = self.fetch(asked, context, share=(0.0, 1.0))
        self._engine.tag(here.id, self._new)
        return Found(wanted.reference, here.id, wanted.digest, here.size)

    @property
    def _new(self) -> str:
        return f"{KEEP}:{self._upgrade}-new"

    def release_new(self) -> None:
        """What was fetched by its digest goes by its own names alone."""
        self._engine.remove_image(self._new)

    def to_keep(self, references: Iterable[str]) -> list[dict[str, str]]:
        """A row for each of these references that the engine has an image of: which one, and the tag of ours to keep it by."""
        rows = []
        for number, reference in enumerate(sorted({one for one in references if one})):
            image = self._there(reference)
            if image is not None:
                tag = f"{KEEP}:{self._upgrade}-{number}"
                rows.append({"reference": reference, "id": image.id, "tag": tag})
        return rows

    def keep(self, rows: Iterable[dict[str, str]]) -> None:
        """These images have our tags: what was in force can be put back. The rows are written down before, for whoever cleans."""
        for row in rows:
            self._engine.tag(row["id"], row["tag"])

    def _there(self, reference: str) -> Image | None:
        """The engine's image; None also for what is named like an image's variable and is no image."""
        try:
            return self._engine.image(reference)
        except BadReference:
            return None

    def put_back(self, kept: Iterable[dict[str, str]]) -> None:
        """Each reference names the image again that it named when it was kept."""
        for row in kept:
            here = self._engine.image(row["reference"])
            if "@" not in row["reference"] and (here is None or here.id != row["id"]):
                self._engine.tag(row["id"], row["reference"])

    def release(self, kept: Iterable[dict[str, str]]) -> None:
        """Our own tags are gone; the images keep the names that they had."""
        for row in kept:
            self._engine.remove_image(row["tag"])

    def forget(
        self, kept: Iterable[dict[str, str]], *, needed: Container[str], note: Callable[[str], None]
    ) -> None:
        """What only these ways back wanted is gone. What is needed (references in full) or used stays: `note` is told.

        What another way back holds keeps its names: a digest is none that could be given again.
        """
        rows = list(kept)
        for row in rows:
            self._remove(row["tag"], note)
        for row in rows:
            meant = str(parse_reference(row["reference"]).tagged())
            here = None if meant in needed else self._engine.image(row["reference"])
            if here is not None and here.id == row["id"] and not keepers(here.tags):
                self._remove(row["reference"], note)

    def forget_unused(
        self, kept: Iterable[dict[str, str]], *, needed: Container[str], note: Callable[[str], None]
    ) -> None:
        """Our own tags are gone, and so are the images that nothing else has use for, with the names that they had.

        Use for one has any container, another way back on the engine, and whoever needs (references in full) its name.
        """
        rows = list(kept)
        self.release(rows)
        used = {one.image_id for one in self._engine.containers.all()}
        for row in rows:
            meant = str(parse_reference(row["reference"]).tagged())
            image = self._engine.image(row["id"])
            if image is None or image.id in used or meant in needed:
                continue
            if keepers(image.tags):
                continue
            here = self._engine.image(row["reference"])
            if here is not None and here.id == image.id:
                self._remove(row["reference"], note)
            left = self._engine.image(image.id)
            if left is not None and not left.tags:  # its digest alone, as of a tag that floats
                self._remove(image.id, note)

    def _remove(self, reference: str, note: Callable[[str], None]) -> None:
        try:
            self._engine.remove_image(reference)
        except DeviceError as error:
            note(f"An image of a version before stays: {error}")


def keepers(names: Iterable[str]) -> set[str]:
    """The upgrades whose ways back hold an image of these names, by their ids: those of our own tags among them."""
    ours = (
        name.removeprefix(KEEP)[1:] for name in names if name.startswith((f"{KEEP}:", f"{KEEP}@"))
    )
    return {tag.rpartition("-")[0] or tag for tag in ours}


def digest_of(image: Image, reference: str) -> str:
    """The digest under which the reference's registry has the image; the image's own id where it was built or loaded."""
    repository = parse_reference(reference).familiar_repository
    by_repository = dict(one.split("@", 1) for one in image.digests if "@" in one)
    return by_repository.get(repository) or next(iter(by_repository.values()), image.id)


def version_of(reference: str) -> str:
    """What people call the version: the tag, or where there is none the beginning of the digest."""
    try:
        parsed = parse_reference(reference).tagged()
    except BadReference:
        return reference[-100:]
    return (parsed.tag or parsed.digest)[:100]


def in_full(references: Iterable[str]) -> set[str]:
    """The references as they are meant: `redis:7` and `docker.io/library/redis:7` are one."""
    found = set()
    for reference in references:
        try:
            found.add(str(parse_reference(reference).tagged()))
        except BadReference:
            continue
    return found
