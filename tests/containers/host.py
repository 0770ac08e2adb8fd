"""A device with a ledger on it that the portal watches; and what stands there."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Final

from devices.models import Credential, Device, EngineAccess
from tests.containers.deployed import Deployed, mountpoint
from tests.containers.ledger import V1
from tests.containers.stage import Stage
from tests.containers.standing import Standing, described, files_below
from tests.environment.waiting import wait_until
from updates.machine import Outcome
from updates.models import Instance, Module, Upgrade, WatchedContainer

BACKUP: Final = re.compile(r"upgrade-backup-\d{8}_\d{6}\.tar\.gz")
CHECKSUM: Final = re.compile(BACKUP.pattern + r"\.sha256")
KEPT: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
ASIDE: Final = re.compile(r"-before-([0-9a-f]{8})")
PATIENCE_SECONDS: Final = 40

_numbers = count(1)


class Host:
    """The device as the portal knows it, over SSH, with the engine behind the same connection unless `way` says otherwise."""

    def __init__(self, stage: Stage, way: EngineAccess.Way = EngineAccess.Way.SSH) -> None:
        self.stage = stage
        self.engine = stage.engine
        name = f"shop{next(_numbers)}"
        sshd = stage.sshd
        credential = Credential.objects.create(
            name=f"key-{name}", kind=Credential.Kind.SSH_KEY, username=sshd.user,
            secret=sshd.client_key_pem,
        )  # fmt: skip
        self.row = Device.objects.create(
            name=name, device_type="shop", driver=Device.Driver.SSH, host=sshd.host, port=sshd.port,
            credential=credential, host_key=sshd.host_key, root=str(stage.root),
        )  # fmt: skip
        access: dict[EngineAccess.Way, dict[str, Any]] = {
            EngineAccess.Way.SSH: {"socket_path": str(stage.engine.socket)},
            EngineAccess.Way.UNIX: {"socket_path": str(stage.engine.socket)},
            EngineAccess.Way.TCP: {
                "host": stage.engine.address, "port": stage.tls_port,
                "authority": stage.server.authority, "certificate": stage.client.certificate,
                "key": stage.client.key,
            },
        }  # fmt: skip
        EngineAccess.objects.create(device=self.row, way=way, **access[way])
        self.backups = stage.root / "backups"

    def watch(self, deployed: Deployed, **settings: object) -> WatchedContainer:
        """A ledger of the first version keeps books, is well, and the portal watches it; `settings` are its row's."""
        self.deploy(deployed)
        ledger, reference = deployed.ledger, deployed.typed()
        module, _ = Module.objects.get_or_create(
            name=ledger.name, defaults={"source": ledger.repository}
        )
        instance = Instance.objects.create(
            module=module, device=self.row, name=f"ledger{next(_numbers)}",
            version=reference.rpartition(":")[2],
        )  # fmt: skip
        watched = {
            "image": reference, "image_id": self.inspected(deployed.name)["Image"],
            "digest": ledger.digest(V1), "containers": [deployed.name],
            "backup_dir": str(self.backups), "volumes": [deployed.volume],
            "probes": [deployed.probe], "health_seconds": 12,
            "stop_seconds": 3,
        } | settings  # fmt: skip
        return WatchedContainer.objects.create(instance=instance, **watched)

    def deploy(self, deployed: Deployed) -> Standing:
        """The first version runs, with its first books, as if there had never been another; what stands then."""
        self.tidy()
        way, stood = self.stage.stood.get(deployed.name, ("", None))
        if (
            stood is None
            or way != type(deployed).__name__
            or self.stands(deployed).differs(stood, but=["others"])
        ):
            deployed.remove()
            if deployed.volume.startswith("/"):
                shutil.rmtree(deployed.volume, ignore_errors=True)
            else:
                self.engine.attempt("volume", "rm", deployed.volume)
            self._keep_books(deployed)
            deployed.up(V1)
            self.await_answer(deployed)
            self.engine.docker("exec", deployed.name, "sh", "-c", "echo kept >/scratch/kept")
        stood = self.stands(deployed)
        self.stage.stood[deployed.name] = type(deployed).__name__, stood
        return stood

    def tidy(self) -> None:
        """Nothing of the portal's is left on the device and its engine but the deployments."""
        if self.backups.is_file():
            self.backups.unlink()
        for path in (Path(self.row.work_root), self.backups):
            shutil.rmtree(path, ignore_errors=True)
        for one in self._every():
            if ASIDE.search(one["Name"]):
                self.engine.attempt("rm", "--force", one["Id"])
        for name in self._kept_images():
            self.engine.attempt("rmi", "--force", name)

    def books(self, deployed: Deployed) -> Path:
        """Where its books lie on the device."""
        return mountpoint(self.stage, deployed.volume)

    def _keep_books(self, deployed: Deployed) -> None:
        """Its volume holds books as a ledger of the first version keeps them: files of all sorts, and a database."""
        if not deployed.volume.startswith("/"):
            self.engine.docker("volume", "create", deployed.volume)
        folder = self.books(deployed)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "book").write_text("opened\n")
        (folder / "gold").write_bytes(bytes(range(256)) * 4096)
        (folder / "gold").chmod(0o640)
        (folder / "deep" / "empty").mkdir(parents=True)
        (folder / "deep" / "it's\na näme").write_text("x")
        (folder / "link").symlink_to("deep/none")
        with closing(sqlite3.connect(folder / "accounts.sqlite")) as database:
            database.execute("CREATE TABLE account (name TEXT)")
            database.execute("INSERT INTO account VALUES ('first')")
            database.commit()

    def await_answer(self, deployed: Deployed) -> None:
        """It is well, by its own check, and answers."""

        def is_well() -> bool:
            health = (self.inspected(deployed.name)["State"].get("Health") or {}).get("Status", "")
            return health in ("", "healthy") and bool(self.stage.ask(deployed.url))

        wait_until(is_well, seconds=PATIENCE_SECONDS, what="a ledger that is well")

    def start_dependants(self, deployed: Deployed) -> None:
        """Who lives in its network runs."""
        for name in deployed.dependants:
            self.engine.docker("start", name)

    def inspected(self, name: str) -> dict[str, Any]:
        """What the engine tells of a container."""
        found: dict[str, Any] = json.loads(self.engine.docker("container", "inspect", name))[0]
        return found

    def stands(self, deployed: Deployed) -> Standing:
        """All of it, as it is now."""
        every = self._every()
        names = {one["Id"]: one["Name"].lstrip("/") for one in every}
        own = (deployed.name, *deployed.dependants)
        kept = self._ways_back()
        containers: dict[str, Any] = {}
        others: dict[str, str] = {}
        for one in every:
            name = names[one["Id"]]
            if name in own:
                containers[name] = described(one, lambda other: names.get(other, other))
            elif not _is_of(ASIDE, name, {pk[:8] for pk in kept}):
                others[name] = (
                    one["Id"] if _lives_in_another(one) else f"{one['Id']} {one['State']['Status']}"
                )
        return Standing(
            containers=containers,
            data=self._data(deployed),
            answers=self._answers(deployed),
            others=others,
            left=self._left(kept),
        )

    def _every(self) -> list[dict[str, Any]]:
        ids = self.engine.docker("ps", "--all", "--quiet", "--no-trunc").split()
        found: list[dict[str, Any]] = json.loads(self.engine.docker("inspect", *ids)) if ids else []
        return found

    def _data(self, deployed: Deployed) -> dict[str, str]:
        """Of its volume, and of the one that has no name but the engine's."""
        found = files_below(self.books(deployed))
        asked = self.engine.attempt("container", "inspect", deployed.name)
        mounts = json.loads(asked.stdout)[0]["Mounts"] if asked.returncode == 0 else []
        for place in (one["Source"] for one in mounts if one["Destination"] == "/scratch"):
            found |= {f"scratch/{path}": said for path, said in files_below(Path(place)).items()}
        return found

    def _answers(self, deployed: Deployed) -> dict[str, str]:
        """To the device; and to those who live in the container's network, where they think it is theirs."""
        found = {"device": self.stage.ask(deployed.url)}
        for name in deployed.dependants:
            place = deployed.url_beside
            said = self.engine.attempt("exec", name, "wget", "-q", "-O", "-", place)
            found[name] = said.stdout.decode().strip()
        return found

    def _left(self, kept: set[str]) -> list[str]:
        """What upgrades have left that may keep nothing, or that nobody would find again."""
        found = [name for name in self._kept_images() if not _is_of(KEPT, name, kept)]
        for path in files_below(Path(self.row.work_root)):
            is_kept = path.startswith("instances/") and _is_of(KEPT, path, kept)
            if KEPT.search(path) and not is_kept and not path.startswith("fence-"):
                found.append(path)
        return found + [name for name in self.backup_files() if not BACKUP.fullmatch(name)]

    def _kept_images(self) -> list[str]:
        listed = self.engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        return [one for one in listed if one.startswith("fleetwright.local/")]

    def _ways_back(self) -> set[str]:
        """The upgrades that may keep something: those that can be taken back, and those that broke."""
        rows = Upgrade.objects.filter(device=self.row, unchanged=False, undone_by=None)
        found = rows.filter(outcome__in=[Outcome.SUCCEEDED, Outcome.BROKEN], undoes=None)
        return {str(pk) for pk in found.values_list("pk", flat=True)}

    def backup_files(self) -> list[str]:
        """The names of all that is in the directory of the backups but their checksums."""
        found = sorted(one.name for one in self.backups.iterdir()) if self.backups.exists() else []
        return [name for name in found if not CHECKSUM.fullmatch(name)]


def _is_of(pattern: re.Pattern[str], name: str, ids: set[str]) -> bool:
    found = pattern.search(name)
    return found is not None and (found[1] if found.groups() else found[0]) in ids


def _lives_in_another(one: dict[str, Any]) -> bool:
    """In another container's network. An engine that starts again leaves such a one down if it gets to it before the other,
    whatever its restart policy says."""
    return str(one["HostConfig"]["NetworkMode"]).startswith("container:")
