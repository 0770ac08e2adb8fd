"""A system that is patched: an instance of the module `bay` with real Erlang nodes, and archives for it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field

from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile

from devices.models import Device
from patches.jobs import run_patch, run_patch_check
from patches.models import Node, NodeResult, Patch, PatchCheck
from patches.services.patch_checks import request_patch_checks
from patches.services.patch_orders import apply_patch
from patches.services.patches import upload_patch
from portal.core.actors import Actor, actor_of
from tests.environment.erlang import EBIN, Erlang, ErlangNode
from tests.journal.rows import new_device
from updates.models import Instance, Module, Upgrade

GREETING = f"{EBIN}/bay_greeting.beam"
COUNTER = f"{EBIN}/bay_counter.beam"
SPARE = f"{EBIN}/bay_spare.beam"
NOTE = "priv/note.txt"


def who(*permissions: str) -> Actor:
    """A logged-in person with these permissions ("app.codename"), and no others."""
    user = User.objects.create_user(f"person{User.objects.count()}")
    for name in permissions:
        app, _, codename = name.partition(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return actor_of(User.objects.get(pk=user.pk))


def zip_of(files: dict[str, bytes]) -> bytes:
    """An archive as an operator packs it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for path, data in files.items():
            out.writestr(path, data)
    return packed.getvalue()


@dataclass
class Bay:
    """One instance, its nodes running and in the database."""

    world: Erlang
    instance: Instance
    nodes: list[ErlangNode] = field(default_factory=list)

    def row(self, node: ErlangNode) -> Node:
        return Node.objects.get(address=node.name)

    def join(self, node: ErlangNode) -> Node:
        """The node is on record."""
        self.nodes.append(node)
        return Node.objects.create(
            instance=self.instance, device=self.instance.device, name=node.name.replace("@", "."),
            address=node.name, host="127.0.0.1", port_mapper=self.world.epmd_port,
            secret=self.world.cookie, root=str(node.root), application="bay",
        )  # fmt: skip

    def answers(self) -> list[object]:
        """What each running system answers to a call."""
        return [node.call("bay_greeting", "answer") for node in self.nodes]

    def patch(self, files: dict[str, bytes] | None = None, **words: str) -> Patch:
        """The next version of two modules and a file that is none, uploaded."""
        files = files or {
            GREETING: self.world.compiled("bay_greeting", v=2),
            COUNTER: self.world.compiled("bay_counter", v=2),
            NOTE: b"two\n",
        }
        return upload_patch(
            file=ContentFile(zip_of(files), name=f"{words.pop('name', 'fix')}.zip"),
            module=self.instance.module, version=words.pop("version", "1.0.0"),
            actor=who("patches.upload_patch"), **words,
        )  # fmt: skip

    def check(self, patch: Patch) -> PatchCheck:
        """The check as it is after a worker has carried it out."""
        [check] = request_patch_checks(
            patch=patch, instances=[self.instance], actor=who("patches.check_patch")
        )
        run_patch_check(str(check.pk))
        check.refresh_from_db()
        return check

    def order(self, patch: Patch, *, override: bool = False, actor: Actor | None = None) -> Upgrade:
        actor = actor or who("patches.apply_patch", "patches.override_patch")
        return apply_patch(
            patch=patch,
            instance=self.instance,
            actor=actor,
            reason="for the test",
            override=override,
        )

    def apply(self, patch: Patch, *, override: bool = False) -> Upgrade:
        """Checked, ordered, and carried out as far as one worker goes."""
        self.check(patch)
        return self.run(self.order(patch, override=override))

    def run(self, upgrade: Upgrade) -> Upgrade:
        run_patch(str(upgrade.pk))
        upgrade.refresh_from_db()
        return upgrade


def new_bay(world: Erlang, *, version: str = "1.0.0") -> Bay:
    """An instance without nodes."""
    device: Device = new_device("bay-host", driver="local", root="/")
    module, _ = Module.objects.get_or_create(name="bay", defaults={"runtime": "beam"})
    return Bay(
        world, Instance.objects.create(module=module, device=device, name="bay-1", version=version)
    )


def statuses(upgrade: Upgrade, step: str = "apply") -> dict[str, dict[str, int | None]]:
    """{node: {path: status}} as the history has it."""
    return {
        row.node_name: {file["path"]: file["status"] for file in row.files}
        for row in NodeResult.objects.filter(upgrade=upgrade, step=step)
    }
