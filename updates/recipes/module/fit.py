"""Whether an image can be installed for an instance, found out by looking: nothing is changed, nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import semver

from devices.drivers.engine import Engine
from devices.drivers.references import parse_reference
from devices.drivers.shell import Shell
from devices.errors import BadReference, DeviceError, DeviceUnreachable
from updates.errors import ModuleRefused
from updates.formats.module_image import ModuleLabels, image_variables
from updates.plan import INCONSISTENT, ModulePlan, ModuleVerb
from updates.recipes.engine_images import Found, Images
from updates.recipes.finding import Finding
from updates.recipes.module.account import ROOT, Account

SHORT_SECONDS: Final = 30.0
SPARE_BYTES: Final = 64 * 2**20
NEEDED_COMMANDS: Final = (
    "awk", "cksum", "cp", "find", "flock", "grep", "id", "ls", "mkdir", "mv", "rm", "sed", "setsid", "sort", "stat", "systemctl",
    "tail", "tar",
)  # fmt: skip
USERS_COMMANDS: Final = ("loginctl", "pgrep", "pkill", "useradd", "userdel")


class ModuleFit:
    """Looks at one plan. After `findings` has been read to its end, `image`, `labels` and `services` are what was found."""

    def __init__(self, plan: ModulePlan, shell: Shell, engine: Engine, images: Images) -> None:
        self._plan = plan
        self._shell = shell
        self._engine = engine
        self._images = images
        self.image: Found | None = None
        self.labels = ModuleLabels()
        self.services: list[Found] = []

    def findings(self) -> Iterator[Finding]:
        """A finding for each thing that the plan needs: the cheap ones first, registries last."""
        if self._plan.verb is ModuleVerb.UPDATE:
            yield self._name()
        yield self._commands()
        yield self._account()
        yield self._engine_answers()
        module = self._module_image()
        yield module
        if self.image is None:
            return
        yield from self._labels()
        yield from self._service_images()
        yield from self._space()

    @property
    def is_there(self) -> bool:
        """Whether this very image is what is installed."""
        installed = self._plan.installed
        if self.image is None or not installed.image or installed.version.endswith(INCONSISTENT):
            return False
        same_id = bool(self.image.id) and self.image.id == installed.image_id
        return same_id or self.image.digest == installed.digest

    def _name(self) -> Finding:
        what = "module"
        try:
            wanted = parse_reference(self._plan.image).path.rpartition("/")[2]
            installed = parse_reference(self._plan.installed.image).path.rpartition("/")[2]
        except BadReference as error:
            return Finding(what, ok=False, says=str(error))
        if wanted == installed:
            return Finding(what, ok=True, says=f"It is another version of {installed}.")
        says = f"The instance is one of {installed}, and the image is one of {wanted}."
        return Finding(what, ok=self._plan.overrides, says=says)

    def _commands(self) -> Finding:
        script = 'for word; do command -v "$word" >/dev/null || echo "$word"; done'
        wanted = list(NEEDED_COMMANDS)
        if self._plan.user != ROOT:
            wanted += [
                "runuser",
                *(USERS_COMMANDS if self._plan.verb is ModuleVerb.INSTALL else ()),
            ]
        result = self._shell.run(["sh", "-c", script, "sh", *wanted], limit_seconds=SHORT_SECONDS)
        missing = result.output.decode(errors="replace").split()
        says = f"The device lacks {', '.join(missing)}." if missing else "It has what we need."
        return Finding("commands", ok=not missing, says=says)

    def _account(self) -> Finding:
        what, plan = "user", self._plan
        account = Account.found(self._shell, plan.user)
        if plan.verb is ModuleVerb.INSTALL:
            return self._is_free(account)
        if account is None:
            return Finding(what, ok=False, says=f"The device has no user {plan.user}.")
        state = self._shell.run(
            ["test", "-d", f"{plan.install_dir}/state"], limit_seconds=SHORT_SECONDS
        )
        if state.status:
            return Finding(
                what,
                ok=False,
                says=f"{plan.install_dir} is not an installed instance: it has no state directory.",
            )
        manager = self._shell.run(
            account.systemctl("show-environment"), limit_seconds=SHORT_SECONDS, env=account.env
        )
        if manager.status:
            said = manager.output.decode(errors="replace").strip()[-300:]
            return Finding(
                what, ok=False, says=f"The service manager of {plan.user} does not answer: {said}"
            )
        return Finding(what, ok=True, says=f"{plan.user} and its service manager are there.")

    def _is_free(self, account: Account | None) -> Finding:
        """Whether nobody has the new instance's user and directory yet."""
        plan = self._plan
        if account is not None and plan.user != ROOT:
            return Finding("user", ok=False, says=f"The user {plan.user} is there already.")
        there = self._shell.run(["test", "-e", plan.install_dir], limit_seconds=SHORT_SECONDS)
        if there.status == 0:
            return Finding("user", ok=False, says=f"{plan.install_dir} is there already.")
        return Finding("user", ok=True, says=f"{plan.user} and {plan.install_dir} are free.")

    def _engine_answers(self) -> Finding:
        return Finding("engine", ok=True, says=f"{self._engine.version()} answers.")

    def _module_image(self) -> Finding:
        try:
            self.image, labels = self._images.resolve(self._plan.image)
            self.labels = ModuleLabels.read(labels)
        except DeviceUnreachable:
            raise
        except DeviceError as error:
            return Finding("image", ok=False, says=str(error))
        return Finding("image", ok=True, says=_where(self.image))

    def _labels(self) -> Iterator[Finding]:
        plan, labels, what = self._plan, self.labels, "labels"
        for malformed in labels.findings:
            yield Finding(what, ok=not malformed.hinders, says=malformed.says)
        if labels.rootfull != plan.rootfull:
            kinds = ("rootless", "rootfull")
            says = f"The image is {kinds[labels.rootfull]}, the instance {kinds[plan.rootfull]}."
            yield Finding(what, ok=False, says=says)
        installed = _version(plan.installed.version)
        if labels.min_from and installed and installed < labels.min_from:
            says = f"It wants {labels.min_from} or newer to be installed, and that is {installed}: update to one between first."
            yield Finding("min-from", ok=plan.overrides, says=says)
        core = _version(plan.core_version)
        if labels.min_core and core and core < labels.min_core:
            says = f"It wants core {labels.min_core} or newer, and this is {core}."
            yield Finding("min-core", ok=plan.overrides, says=says)
        try:
            image_variables(
                module_url=plan.image,
                image_id="",
                digest="",
                repo_digest="",
                services=labels.images,
            )
        except ModuleRefused as error:
            yield Finding(what, ok=False, says=str(error))

    def _service_images(self) -> Iterator[Finding]:
        for reference in self.labels.images:
            try:
                found, _ = self._images.resolve(reference)
            except DeviceUnreachable:
                raise
            except DeviceError as error:
                yield Finding("service image", ok=False, says=f"{reference}: {error}")
                continue
            self.services.append(found)
            yield Finding("service image", ok=True, says=_where(found))

    def _space(self) -> Iterator[Finding]:
        if self.image is None:
            return
        # What is compressed takes about three times as much when it is unpacked.
        fetched = [one for one in (self.image, *self.services) if not one.id]
        needs = [
            (self._plan.device.work_root, 2 * self.image.size + SPARE_BYTES),
            (self._plan.install_dir, 2 * self.image.size + SPARE_BYTES),
        ]
        root = self._engine.root_dir()
        if (
            fetched
            and self._shell.run(["test", "-d", root], limit_seconds=SHORT_SECONDS).status == 0
        ):
            needs.append((root, 3 * sum(one.size for one in fetched) + SPARE_BYTES))
        for path, needed in needs:
            free = self._shell.free_bytes(path)
            says = f"{path} needs {needed // 2**20} MiB and has {free // 2**20} MiB free."
            yield Finding("space", ok=free >= needed, says=says)


def _where(found: Found) -> str:
    return f"{found.reference} is {'on the device' if found.id else 'in its registry'}."


def _version(text: str) -> semver.Version | None:
    try:
        return semver.Version.parse(text.removesuffix(INCONSISTENT))
    except ValueError:
        return None
