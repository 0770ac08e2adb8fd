"""Helper containers: made to look into an image or a volume, never started, always removed."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
from collections.abc import Iterator
from typing import Any, Final

from docker import APIClient
from docker.types import Mount

from devices.drivers.engine_answers import time_of
from devices.drivers.engine_client import EngineClient
from devices.errors import DeviceError, EngineRefused, EngineUnreachable, NoSuchImage

PREFIX: Final = "fleetwright-helper-"
LABEL: Final = "io.fleetwright.helper"
VOLUME_PLACE: Final = "/volume"
# An engine makes no container without a command; this one is never run.
_COMMAND: Final = ["/never-started"]
_TIDY_SECONDS: Final = 10.0
_EMPTY_TAR: Final = bytes(1024)


class Helpers:
    """Makes and removes helpers on one engine."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client

    @contextlib.contextmanager
    def of_image(self, image_id: str) -> Iterator[str]:
        """The id of a container of that image. `NoSuchImage`."""
        with self._container(image_id, mounts=[]) as container_id:
            yield container_id

    @contextlib.contextmanager
    def of_volume(self, name: str) -> Iterator[str]:
        """The id of a container that has the volume at `VOLUME_PLACE`, made of an image with nothing in it."""
        with self._client.asked() as api:
            said = api.import_image_from_data(_EMPTY_TAR, changes=[f"LABEL {LABEL}=volume"])
        image_id = _imported(said)
        try:
            mount = Mount(target=VOLUME_PLACE, source=name, type="volume", no_copy=True)
            with self._container(image_id, mounts=[mount]) as container_id:
                yield container_id
        finally:
            self._remove_image(image_id)

    @contextlib.contextmanager
    def _container(self, image_id: str, *, mounts: list[Mount]) -> Iterator[str]:
        with self._client.asked(missing=NoSuchImage(f"The engine has no image {image_id}.")) as api:
            made = api.create_container(
                image_id,
                command=_COMMAND,
                name=f"{PREFIX}{secrets.token_hex(8)}",
                labels={LABEL: "yes"},
                network_disabled=True,
                use_config_proxy=False,
                host_config=api.create_host_config(mounts=mounts, network_mode="none"),
            )
        container_id = str(made["Id"])
        try:
            yield container_id
        finally:
            self._remove_container(container_id)

    def sweep(self) -> int:
        """Containers and images of ours that are older than any use of them are gone; how many containers there were."""
        with self._client.asked() as api:
            now = _seconds(api.info().get("SystemTime"))
        oldest = now - self._client.limits.helper_seconds
        with self._client.asked() as api:
            containers = api.containers(all=True, filters={"label": LABEL})
        with self._client.asked() as api:
            images = api.images(filters={"label": LABEL})
        left = [one for one in containers if one.get("Created", now) <= oldest]
        for container in left:
            self._remove_container(str(container["Id"]))
        for image in images:
            if image.get("Created", now) <= oldest:
                self._remove_image(str(image["Id"]))
        return len(left)

    def remove_those_with(self, volume: str) -> None:
        """No helper holds that volume any more: whoever is to write it has it alone, so a dead worker's it was."""
        with self._client.asked() as api:
            found = api.containers(all=True, filters={"label": LABEL, "volume": volume})
        for container in found:
            self._remove_container(str(container["Id"]))

    def _remove_container(self, container_id: str) -> None:
        with self._tidying() as api:
            api.remove_container(container_id, v=True)  # and its anonymous volumes

    def _remove_image(self, image_id: str) -> None:
        with self._tidying() as api:
            api.remove_image(image_id)

    @contextlib.contextmanager
    def _tidying(self) -> Iterator[APIClient]:
        """What cannot be removed soon is for `sweep`: an engine that still sends into a dead connection answers later."""
        patience = self._client.patience(seconds=_TIDY_SECONDS)
        with contextlib.suppress(DeviceError), self._client.asked(patience) as api:
            yield api


def _imported(said: str) -> str:
    """The id, which is the status in the last line of an import's answer."""
    lines = [line for line in io.StringIO(said) if line.strip()]
    try:
        answer: Any = json.loads(lines[-1])
        image_id = str(answer["status"])
    except (IndexError, KeyError, TypeError, ValueError):
        raise EngineUnreachable("The engine does not say which image it made.") from None
    if not image_id.startswith("sha256:"):
        raise EngineRefused(f"The Docker Engine makes no image: {image_id}.")
    return image_id


def _seconds(text: object) -> float:
    when = time_of(str(text))
    if when is None:
        raise EngineUnreachable("The engine does not say what time it is there.")
    return when.timestamp()
