"""A device with a Docker Engine as the portal knows it; and what stands on it, said in checksums."""

from __future__ import annotations

from dataclasses import dataclass

from devices.models import Credential, Device, EngineAccess
from portal.core.actors import PORTAL
from tests.environment.device_container import DeviceContainer
from tests.environment.docker import DockerEngine
from tests.environment.waiting import wait_until
from updates.jobs import run_module
from updates.models import Installation, Instance, Upgrade
from updates.services.installing import NewInstance, install_module, uninstall_module
from updates.services.module_choice import Wanted
from updates.services.module_updates import order_module
from updates.services.upgrades import roll_back_upgrade

PATIENCE_SECONDS = 20
ASK = ["/bin/busybox", "wget", "-q", "-O", "-"]
WHY = "to see it happen"
SOCKET = "/opt/docker/docker.sock"

# Every path below $1 but what ways back need, and the system's units that are named by $2: what each is, its mode, its
# owner, where it leads and what it holds.
_TREE = r"""
sums() { sed -E 's/^(\S+)  (.*)/\2 holds|\1/'; }
if cd -- "$1" 2>/dev/null; then
  find . -path ./.fleetwright -prune -o -printf '%p|%y %m %u %l\n'
  find . -path ./.fleetwright -prune -o -type f -exec sha256sum {} + | sums
fi
cd /etc/systemd/system
find "$PWD" -name "$2*" -printf '%p|%y %m %u %l\n'
find "$PWD" -type f -name "$2*" -exec sha256sum {} + | sums
"""

# No instance is left, however broken it was, and nothing that the portal put there.
_RESET = r"""
for user in $(awk -F: '$3 >= 1000 && $3 < 60000 { print $1 }' /etc/passwd); do
  loginctl disable-linger "$user" 2>/dev/null
  systemctl stop "user@$(id -u "$user")" 2>/dev/null
  pkill -KILL -u "$user"
  for mounted in $(awk -v home="/home/$user/" 'index($2, home) == 1 { print $2 }' /proc/mounts); do umount "$mounted"; done
  userdel --force --remove "$user" >/dev/null 2>&1
done
for unit in /etc/systemd/system/mymodule*; do
  [ -e "$unit" ] || continue
  systemctl disable --now "${unit##*/}" 2>/dev/null
  rm -rf "$unit"
done
systemctl daemon-reload
rm -rf /var/lib/nethserver /var/lib/fleetwright
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """All of an instance on its device: its files by checksum, its units, the images it names, the version that answers."""

    tree: dict[str, str]
    units: list[str]
    images: dict[str, str]
    answer: str

    def differs(self, other: Standing) -> list[str]:
        """Where they are not the same, a line each: `other`'s first."""
        found = [
            f"{path}: {other.tree.get(path)} -> {self.tree.get(path)}"
            for path in sorted({*self.tree, *other.tree})
            if self.tree.get(path) != other.tree.get(path)
        ]
        for name in ("units", "images", "answer"):
            mine, theirs = getattr(self, name), getattr(other, name)
            found += [f"{name}: {theirs} -> {mine}"] if mine != theirs else []
        return found


class Host:
    """A device with `engine` as its own, reached over SSH, and what operators order for it.

    One whose engine `is_apart` from what the device itself runs on: its services are not in the device's network.
    """

    def __init__(
        self, container: DeviceContainer, engine: DockerEngine, *, is_apart: bool = False
    ) -> None:
        self.container = container
        self.engine = engine
        self.is_apart = is_apart
        if is_apart:
            container.exec("sh", "-c", "echo NETWORK=none >/etc/module-network")
        name = container.name
        credential = Credential.objects.create(
            name=f"key-{name}",
            kind=Credential.Kind.SSH_KEY,
            username=container.user,
            secret=container.client_key_pem,
        )
        self.row = Device.objects.create(
            name=name,
            device_type="ns8-node",
            driver=Device.Driver.SSH,
            host=container.host,
            port=container.port,
            credential=credential,
            host_key=container.host_key,
        )
        EngineAccess.objects.create(device=self.row, way=EngineAccess.Way.SSH, socket_path=SOCKET)

    def reset(self) -> None:
        """The device is as it came, and its engine has none of the module's images, containers and volumes."""
        self.container.exec("sh", "-c", _RESET)
        for words in (
            ("ps", "--all", "--quiet", "--filter", "name=-web$"),
            ("images", "--quiet", "--filter", "reference=*/acme/*"),
            ("images", "--quiet", "--filter", "reference=fleetwright.local/*"),
            ("volume", "ls", "--quiet"),
        ):
            kind = {"ps": "container", "images": "image", "volume": "volume"}[words[0]]
            for name in set(self.engine.docker(*words).split()):
                self.engine.attempt(kind, "rm", "--force", name)

    def install(self, image: str, *, rootfull: bool = False, **settings: object) -> Instance:
        """A new instance that runs and answers; `settings` are its installation's."""
        new = NewInstance(image=image, device=self.row, rootfull=rootfull, tcp_ports=1)
        upgrade = carried_out(install_module(new, actor=PORTAL, reason=WHY))
        assert upgrade.outcome == "succeeded", upgrade.error
        instance = upgrade.instance
        assert instance is not None
        made = Installation.objects.get(instance=instance)
        Installation.objects.filter(pk=made.pk).update(
            **{"probes": [self._probe(made)], **settings}
        )
        wait_until(lambda: self.answer(instance), seconds=PATIENCE_SECONDS, what="an answer")
        return Instance.objects.select_related("installation", "device").get(pk=instance.pk)

    def stands(self, instance: Instance) -> Standing:
        """All of it, as it is now."""
        made = Installation.objects.get(instance=instance)
        said = self.container.exec("sh", "-c", _TREE, "sh", made.install_dir, instance.name)
        tree = dict(line.split("|", 1) for line in said.splitlines())
        return Standing(
            tree=tree,
            units=self.units(instance),
            images=self._images(made),
            answer=self.answer(instance),
        )

    def units(self, instance: Instance) -> list[str]:
        """The services of the module that run; none where its user is gone."""
        made = Installation.objects.get(instance=instance)
        manager = ["systemctl"]
        if not made.rootfull:
            uid = self.container.exec("sh", "-c", 'id -u "$1" 2>/dev/null || true', "sh", made.user)
            if not uid:
                return []
            runtime = f"XDG_RUNTIME_DIR=/run/user/{uid}"
            manager = ["runuser", "-u", made.user, "--", "env", runtime, *manager, "--user"]
        said = self.container.exec(
            *manager, "list-units", "--plain", "--no-legend", "--type=service", "--state=active"
        )
        running = [line.split()[0] for line in said.splitlines()]
        return [name for name in running if name.startswith(("mymodule", instance.name))]

    def answer(self, instance: Instance) -> str:
        """What the instance's web service says of itself; nothing when it does not answer."""
        made = Installation.objects.get(instance=instance)
        url = f"http://127.0.0.1:{made.first_tcp_port}/"
        finished = self.engine.attempt("exec", f"{instance}-web", *ASK, url)
        return finished.stdout.decode().strip() if finished.returncode == 0 else ""

    def _probe(self, made: Installation) -> dict[str, object]:
        """Asks the web service, through the device where that is in the device's network."""
        url = f"http://127.0.0.1:{made.first_tcp_port}/"
        if not self.is_apart:
            return {"kind": "http", "url": url}
        words = ["docker", "--host", f"unix://{SOCKET}", "exec", f"{made.instance}-web"]
        return {"kind": "command", "command": [*words, *ASK, url]}

    def environment(self, instance: Instance) -> dict[str, str]:
        """The variables of the instance."""
        made = Installation.objects.get(instance=instance)
        said = self.container.exec("cat", f"{made.install_dir}/state/environment")
        return dict(line.split("=", 1) for line in said.splitlines())

    def _images(self, made: Installation) -> dict[str, str]:
        """The id of each image that the instance's environment names."""
        said = self.container.exec(
            "sh", "-c", 'cat "$1/state/environment" 2>/dev/null || true', "sh", made.install_dir
        )
        pairs = [line.split("=", 1) for line in said.splitlines() if "=" in line]
        names = [
            value
            for key, value in pairs
            if key == "IMAGE_URL" or (key.endswith("_IMAGE") and not key.startswith("PREV_"))
        ]
        form = "{{.Id}}"
        return {
            name: self.engine.attempt("image", "inspect", "--format", form, name)
            .stdout.decode()
            .strip()
            for name in names
        }


def carried_out(upgrade: Upgrade) -> Upgrade:
    """The upgrade, when a worker has taken it as far as it went."""
    run_module(str(upgrade.pk))
    upgrade.refresh_from_db()
    return upgrade


def ordered(instance: Instance, image: str, **wanted: bool) -> Upgrade:
    """An upgrade of the instance to that image, that waits for a worker."""
    order = order_module(
        Wanted(image=image, instances=[instance], **wanted), actor=PORTAL, reason=WHY
    )
    return order.upgrades.get()


def updated(instance: Instance, image: str, **wanted: bool) -> Upgrade:
    """The same, and it is over."""
    return carried_out(ordered(instance, image, **wanted))


def taken_back(upgrade: Upgrade) -> Upgrade:
    """A person's rollback of the upgrade, that is over."""
    return carried_out(roll_back_upgrade(upgrade=upgrade, actor=PORTAL, reason=WHY))


def uninstalled(instance: Instance) -> Upgrade:
    """An upgrade that took the instance away."""
    upgrade = uninstall_module(instance=instance, actor=PORTAL, reason=WHY)
    assert upgrade is not None, "there was something to take away"
    return carried_out(upgrade)
