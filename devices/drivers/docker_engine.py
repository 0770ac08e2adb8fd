"""An engine that speaks Docker's API (Docker's own, or Podman's service), by the docker SDK, over any way to it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from devices.drivers.docker_containers import DockerContainers
from devices.drivers.engine import (
    EngineLimits,
    Image,
    OnProgress,
    Platform,
    Published,
    RegistryLogin,
    Volume,
)
from devices.drivers.engine_answers import (
    image_of,
    mapping,
    platform_of,
    published_of,
    says_not_there,
    volume_of,
)
from devices.drivers.engine_client import EngineClient
from devices.drivers.engine_helpers import VOLUME_PLACE, Helpers
from devices.drivers.engine_names import checked_name
from devices.drivers.engine_pull import failed_pull, follow_pull
from devices.drivers.engine_streams import given_out, noted
from devices.drivers.engine_ways import Way
from devices.drivers.engine_wire import Patience
from devices.drivers.references import Reference, checked_image, parse_reference
from devices.drivers.shell import OnTick
from devices.drivers.volume_tar import RootEntry
from devices.drivers.whole_tar import whole_tar
from devices.drivers.words import absolute
from devices.errors import (
    EngineRefused,
    EngineUnreachable,
    ImageInUse,
    NoSuchImage,
    NoSuchPath,
    NoSuchVolume,
    NotInRegistry,
    PullFailed,
    VolumeInUse,
)


class DockerEngine:
    """An `Engine` at the end of a way."""

    def __init__(self, way: Way, *, limits: EngineLimits | None = None) -> None:
        self._client = EngineClient(way, limits or EngineLimits())
        self._helpers = Helpers(self._client)
        self._containers = DockerContainers(self._client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def version(self) -> str:
        with self._client.asked() as api:
            answer = mapping(api.version())
            return f"Docker Engine {answer.get('Version', '')}, API {api.api_version}"

    def platform(self) -> Platform:
        with self._client.asked() as api:
            version = mapping(api.version())
        return platform_of(version, self._info())

    def root_dir(self) -> str:
        return absolute(str(self._info().get("DockerRootDir", "")))

    def _info(self) -> dict[str, Any]:
        with self._client.asked() as api:
            return mapping(api.info())

    def image(self, reference: str) -> Image | None:
        name = checked_image(reference)
        try:
            with self._client.asked(missing=_no_image(reference)) as api:
                answer = api.inspect_image(name)  # type: ignore[no-untyped-call]
        except NoSuchImage:
            return None
        return image_of(mapping(answer))

    def image_config(self, reference: str) -> Mapping[str, Any]:
        name = checked_image(reference)
        with self._client.asked(missing=_no_image(reference)) as api:
            answer = mapping(api.inspect_image(name))  # type: ignore[no-untyped-call]
        return mapping(answer.get("Config") or {})

    def images(self) -> list[Image]:
        with self._client.asked() as api:
            listed = [str(mapping(one).get("Id", "")) for one in api.images()]
        # The list says nothing of platforms. Who is removed while we ask is not there any more.
        found = (self.image(image_id) for image_id in listed)
        return [image for image in found if image is not None]

    def published(
        self, reference: str, platform: Platform, *, login: RegistryLogin | None = None
    ) -> Published:
        wanted = parse_reference(reference).tagged()
        auth = {"username": login.username, "password": login.secret} if login else {}
        try:
            with self._client.asked() as api:
                answer = mapping(api.inspect_distribution(str(wanted), auth_config=auth))  # type: ignore[no-untyped-call]
        except EngineRefused as refused:
            if refused.status == http.client.NOT_FOUND or says_not_there(refused.said):
                says = f"{wanted.host} has no image {wanted.familiar}."
                raise NotInRegistry(says) from None
            raise
        return published_of(answer, platform, reference=wanted.familiar)

    def pull(
        self,
        reference: str,
        *,
        login: RegistryLogin | None,
        on_progress: OnProgress,
        on_tick: OnTick,
        limit_seconds: float,
    ) -> Image:
        wanted = parse_reference(reference).tagged()
        name = str(wanted)
        patience = Patience(
            limit_seconds=limit_seconds, silence_seconds=limit_seconds, on_tick=on_tick
        )
        asked = {"fromImage": wanted.repository, "tag": wanted.digest or wanted.tag}
        headers = {"X-Registry-Auth": _auth_header(wanted, login)}
        try:
            with self._client.streaming(
                "POST", "/images/create", patience=patience, params=asked, headers=headers
            ) as pieces:
                follow_pull(pieces, reference=name, on_progress=on_progress)
        except EngineRefused as refused:
            raise failed_pull(name, refused.said) from None
        except EngineUnreachable:
            if patience.is_over:
                raise PullFailed(
                    f"{name} cannot be pulled: it took longer than {limit_seconds:g} s."
                ) from None
            raise
        image = self.image(reference)
        if image is None:
            raise PullFailed(f"{name} cannot be pulled: the engine says it was, but has it not.")
        return image

    def tag(self, image_id: str, reference: str) -> None:
        source, wanted = checked_image(image_id), parse_reference(reference).tagged()
        with self._client.asked(missing=_no_image(image_id)) as api:
            api.tag(source, wanted.repository, wanted.tag)

    def remove_image(self, reference: str) -> None:
        name = checked_image(reference)
        try:
            with self._client.asked(missing=_no_image(reference)) as api:
                api.remove_image(name)
        except NoSuchImage:
            return
        except EngineRefused as refused:
            if refused.status == http.client.CONFLICT:
                self._refuse_while_used(name)
            raise

    def _refuse_while_used(self, name: str) -> None:
        image = self.image(name)
        users = sorted(
            one.name
            for one in self._containers.all()
            if image is not None and one.image_id == image.id
        )
        if users:
            raise ImageInUse(
                f"{name} is not removed: it is used by {', '.join(users)}.", containers=users
            ) from None

    def export(self, image_id: str, path: str) -> Iterator[bytes]:
        name, place = checked_image(image_id), absolute(path)
        with contextlib.ExitStack() as stack:
            container_id = stack.enter_context(self._helpers.of_image(name))
            pieces = stack.enter_context(
                self._archive(container_id, place, NoSuchPath(f"{image_id} has no {place}."))
            )
            return given_out(pieces, stack.pop_all())

    @property
    def containers(self) -> DockerContainers:
        return self._containers

    def volumes(self) -> list[str]:
        with self._client.asked() as api:
            listed = mapping(api.volumes()).get("Volumes") or []
        return sorted(str(mapping(one).get("Name", "")) for one in listed)

    def volume(self, name: str) -> Volume | None:
        try:
            return volume_of(self._volume(name))
        except NoSuchVolume:
            return None

    def read_volume(self, name: str) -> Iterator[bytes]:
        self._volume(name)
        with contextlib.ExitStack() as stack:
            container_id = stack.enter_context(self._helpers.of_volume(name))
            missing = NoSuchVolume(f"The engine has no volume {name} any more.")
            pieces = stack.enter_context(self._archive(container_id, f"{VOLUME_PLACE}/.", missing))
            return given_out(pieces, stack.pop_all())

    def write_volume(self, name: str, chunks: Iterable[bytes]) -> None:
        kept = self._emptied(checked_name(name, "volume"))
        with self._client.asked() as api:
            api.create_volume(
                name=name,
                driver=kept.get("Driver") or "local",
                driver_opts=kept.get("Options") or {},
                labels=kept.get("Labels") or {},
            )
        own = RootEntry()
        patience = self._client.patience_for_stream()
        data = noted(own.noted(whole_tar(chunks)), patience)
        with self._helpers.of_volume(name) as container_id:
            with self._client.asked(patience) as api:
                api.put_archive(container_id, VOLUME_PLACE, data)
            if entry := own.named(VOLUME_PLACE.removeprefix("/")):
                with self._client.asked() as api:
                    api.put_archive(container_id, "/", entry)

    def _emptied(self, name: str) -> dict[str, Any]:
        """What the volume was made with; it is gone. Empty if there was none."""
        try:
            kept = self._volume(name)
        except NoSuchVolume:
            return {}
        options = kept.get("Options") or {}
        if options.get("device") and options.get("type") != "tmpfs":
            raise EngineRefused(
                f"The volume {name} is not replaced: it lies elsewhere ({options['device']}), and would not be emptied."
            )
        self._helpers.remove_those_with(name)
        users = sorted(one.name for one in self._containers.all() if name in one.volumes)
        if users:
            raise VolumeInUse(
                f"The volume {name} is not replaced: it is used by {', '.join(users)}.",
                containers=users,
            )
        with self._client.asked() as api:
            api.remove_volume(name)
        return kept

    def _volume(self, name: str) -> dict[str, Any]:
        missing = NoSuchVolume(f"The engine has no volume {name}.")
        with self._client.asked(missing=missing) as api:
            return mapping(api.inspect_volume(checked_name(name, "volume")))

    @contextlib.contextmanager
    def _archive(
        self, container_id: str, path: str, missing: EngineRefused
    ) -> Iterator[Iterator[bytes]]:
        with self._client.streaming(
            "GET",
            f"/containers/{container_id}/archive",
            patience=self._client.patience_for_stream(),
            params={"path": path},
            missing=missing,
        ) as pieces:
            yield whole_tar(pieces)

    def sweep(self) -> int:
        return self._helpers.sweep()


def _auth_header(wanted: Reference, login: RegistryLogin | None) -> str:
    """Without a login an empty one: it keeps the SDK from looking for one in this machine's files."""
    said = {}
    if login is not None:
        said = {
            "username": login.username,
            "password": login.secret,
            "serveraddress": wanted.host,
        }
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()


def _no_image(name: str) -> NoSuchImage:
    return NoSuchImage(f"The engine has no image {name}.")
