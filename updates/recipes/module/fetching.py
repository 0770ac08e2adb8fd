"""Getting a module's image, its services' images and its files to a device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from devices.drivers.engine import Engine
from devices.drivers.references import parse_reference
from devices.drivers.shell import TreeFile
from updates.errors import NotCompatible, StepFailed
from updates.formats.module_image import (
    Listing,
    entries,
    image_variables,
    patch,
    survey,
)
from updates.plan import ModulePlan
from updates.recipes.engine_images import Found, Images, version_of
from updates.recipes.module.fit import ModuleFit
from updates.recipes.module.scripts import PULL, Bring
from updates.recipes.module.tree import Tree
from updates.runner import Context

FOUND: Final = "found"
"""The fact that names the module's image, its services' images and the directory of its files, as CHECKING found them."""
FETCHED: Final = "fetched"
BROUGHT: Final = "brought"
IS_THERE: Final = "is_there"
PULLED_SHARE: Final = 0.7
"""Of the state's progress; the files are the rest."""


class Fetching:
    """What one plan fetches. What is remembered outlives the worker, and is not done twice."""

    def __init__(self, plan: ModulePlan, engine: Engine, images: Images, tree: Tree) -> None:
        self._plan = plan
        self._engine = engine
        self._images = images
        self._tree = tree

    def remember(self, context: Context, fit: ModuleFit) -> None:
        """What CHECKING found is what will be fetched, whatever a tag means by then."""
        assert fit.image is not None  # noqa: S101 - the caller has seen to it
        found = {
            "module": fit.image.as_json(),
            "services": [one.as_json() for one in fit.services],
            "imageroot": fit.labels.imageroot,
        }
        context.journal.remember(FOUND, found)

    def fetch(self, context: Context) -> None:
        """The engine has all images, and the files to be installed lie on the device with what the environment will say.

        Once: whoever takes over must not put files under a step that reads them.
        """
        journal = context.journal
        if journal.recall(IS_THERE):
            return
        fetched = journal.recall(FETCHED)
        if fetched is None:
            fetched = self._pull(context)
            journal.remember(FETCHED, fetched)
        module = Found(**fetched["module"])
        services = [Found(**one) for one in fetched["services"]]
        root = journal.recall(FOUND)["imageroot"]
        listing = survey(self._export(module, root), root=_last(root))
        brought = Bring.of(listing)
        if PULL in brought.steps:
            raise NotCompatible(
                f"The module has a step {PULL} of its own; pulling and unpacking images is what the portal does itself."
            )
        journal.remember(BROUGHT, brought.as_json())
        files = self._counted(
            context, listing, entries(self._export(module, root), listing, root=_last(root))
        )
        self._tree.bring(context, listing, files, patch=self._patch(context, module, services))
        journal.remember(IS_THERE, True)  # noqa: FBT003 - a JSON value

    def _export(self, module: Found, root: str) -> Iterator[bytes]:
        return self._engine.export(module.id, f"/{root}")

    def _pull(self, context: Context) -> dict[str, Any]:
        found = context.journal.recall(FOUND)
        wanted = [Found(**found["module"]), *(Found(**one) for one in found["services"])]
        total = sum(max(1, one.size) for one in wanted)
        done, here = 0, []
        for one in wanted:
            size = max(1, one.size)
            share = (PULLED_SHARE * done / total, PULLED_SHARE * (done + size) / total)
            here.append(self._images.fetch(one, context, share=share))
            done += size
        return {"module": here[0].as_json(), "services": [one.as_json() for one in here[1:]]}

    def _counted(
        self, context: Context, listing: Listing, files: Iterable[TreeFile]
    ) -> Iterator[TreeFile]:
        sent = 0

        def counted(chunks: Iterable[bytes]) -> Iterator[bytes]:
            nonlocal sent
            for chunk in chunks:
                context.tick()
                if context.journal.seconds_left() <= 0:
                    raise StepFailed(
                        f"The transfer was not over at its time limit, after {sent} bytes."
                    )
                sent += len(chunk)
                part = sent / max(1, listing.size_bytes)
                context.journal.progress(PULLED_SHARE + (1 - PULLED_SHARE) * part)
                yield chunk

        context.tick()
        for file in files:
            yield file if file.chunks is None else replace(file, chunks=counted(file.chunks))
        context.journal.note(f"{listing.count} files and directories, {listing.size_bytes} bytes.")

    def _patch(
        self, context: Context, module: Found, services: list[Found]
    ) -> dict[str, str | None]:
        wanted = image_variables(
            module_url=self._plan.image,
            image_id=module.id,
            digest=module.digest,
            repo_digest=f"{_repository(self._plan.image)}@{module.digest}",
            services=[one.reference for one in services],
        )
        in_force = self._tree.environment(context)
        return {**self._plan.environment, **patch(in_force, wanted)}

    def brought(self, context: Context) -> Bring | None:
        """What the image brings to be run; None before it was fetched, and for what fetches nothing."""
        found = context.journal.recall(BROUGHT)
        return Bring.from_json(found) if found else None

    def installed(self, context: Context) -> dict[str, Any]:
        """What is in force once this is committed."""
        fetched = context.journal.recall(FETCHED)
        module = Found(**fetched["module"])
        references = [module.reference, *(one["reference"] for one in fetched["services"])]
        return _in_force(
            module.reference, image_id=module.id, digest=module.digest, images=references
        )

    def restored(self, kept: list[dict[str, str]]) -> dict[str, Any]:
        """The same, of what an earlier upgrade found and kept."""
        before = self._plan.kept or self._plan.installed
        return _in_force(
            before.image, image_id=before.image_id, digest=before.digest,
            images=[row["reference"] for row in kept],
        )  # fmt: skip


def _in_force(reference: str, *, image_id: str, digest: str, images: list[str]) -> dict[str, Any]:
    return {
        "image": reference,
        "image_id": image_id,
        "digest": digest,
        "version": version_of(reference),
        "images": images,
    }


def in_force_after(environment: Mapping[str, str], installed: str) -> list[str]:
    """The references of all images that an environment names; `installed` where it does not name the module's own."""
    of_services = [
        value
        for key, value in environment.items()
        if key.endswith("_IMAGE") and not key.startswith("PREV_")
    ]
    return [environment.get("IMAGE_URL", installed), *of_services]


def _repository(reference: str) -> str:
    return parse_reference(reference).repository


def _last(path: str) -> str:
    return path.rpartition("/")[2]
