"""What a module brings to be run: its `update-module.d` scripts, and steps of its actions, each once, each in the history.

A script leads its own process, in the state directory, with the environment as the script before it left that file. It runs
as the instance's user; PATH and PYTHONPATH begin with what the module brings, and then the `agent` package that we bring
(specs/module-update.md §1, §2.3, §6).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

from devices.drivers.shell import Shell
from updates.errors import StepFailed
from updates.formats.module_image import OUR_STEPS, Listing, action_scripts, steps, update_scripts
from updates.plan import ModulePlan
from updates.recipes.detached import DetachedCalls
from updates.recipes.module.tree import LIBRARY, Tree
from updates.recipes.patience import patiently
from updates.runner import Context

BEFORE: Final = "steps_before"
"""The fact that lists the steps of the version before that run in front of ours."""
UPDATE: Final = "update-module"
PULL, RUN_SCRIPTS, *_ = OUR_STEPS
SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
LONGEST_WORD: Final = 80
_NOT_IN_KEYS: Final = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)

# The names of what can be executed in directory $1.
_EXECUTABLES: Final = r"""
cd -- "$1" 2>/dev/null || exit 0
for file in *; do [ -f "$file" ] && [ -x "$file" ] && printf '%s\n' "$file"; done
true
"""


@dataclass(frozen=True, slots=True)
class Bring:
    """What an image brings to be run by an update. `steps` are the module's own of the action, `says` what is left out."""

    scripts: tuple[str, ...]
    steps: tuple[str, ...]
    says: tuple[str, ...]

    @classmethod
    def of(cls, listing: Listing) -> Self:
        """By the rules of `updates.formats.module_image.update_scripts`."""
        scripts, actions = update_scripts(listing), action_scripts(listing)
        return cls(
            scripts=tuple(one.name for one in scripts if one.runs),
            steps=tuple(one.name for one in actions if one.runs),
            says=tuple(one.says for one in (*scripts, *actions) if one.says),
        )

    @classmethod
    def none(cls) -> Self:
        """Nothing is brought."""
        return cls((), (), ())

    def as_json(self) -> dict[str, Any]:
        return {"scripts": list(self.scripts), "steps": list(self.steps), "says": list(self.says)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(tuple(data["scripts"]), tuple(data["steps"]), tuple(data["says"]))


class Scripts:
    """The scripts of one instance, for one upgrade."""

    def __init__(self, plan: ModulePlan, shell: Shell, calls: DetachedCalls, tree: Tree) -> None:
        self._plan = plan
        self._shell = shell
        self._calls = calls
        self._tree = tree
        self._lib = f"{tree.base}/stage/{LIBRARY}"

    def before_the_images(self, context: Context) -> None:
        """The steps of the version that is installed have run that stand before the pulling of images."""
        journal = context.journal
        names = journal.recall(BEFORE)
        if names is None:
            # Once: whoever takes over may find the new version's steps there already.
            found = self.executables(context, f"actions/{UPDATE}")
            names = [one for one in found if _bytes(one) < PULL.encode()]
            journal.remember(BEFORE, names)
        self._run(context, f"actions/{UPDATE}", names)

    def after_the_images(self, context: Context, brought: Bring) -> None:
        """All steps behind the pulling of images have run in their order: the module's scripts, and steps of its own."""
        for says in brought.says:
            context.journal.note(says)
        for step in steps(OUR_STEPS, brought.steps):
            if step.name.encode() <= PULL.encode():
                continue
            if step.theirs:
                self._run(context, f"actions/{UPDATE}", [step.name])
            elif step.name == RUN_SCRIPTS:
                self._run(context, "update-module.d", brought.scripts)

    def action(self, context: Context, name: str) -> None:
        """The steps of another action of the module have run, if it has any."""
        folder = f"actions/{name}"
        self._run(context, folder, self.executables(context, folder), action=name)

    def executables(self, context: Context, folder: str) -> list[str]:
        """What can be executed in a directory of the installed tree, in the order of the bytes of the names."""
        command = ["sh", "-c", _EXECUTABLES, "sh", f"{self._tree.root}/{folder}"]
        result = patiently(context, self._shell, lambda: self._shell.run(command, limit_seconds=30))
        return sorted(result.output.decode(errors="surrogateescape").splitlines(), key=_bytes)

    def _run(
        self, context: Context, folder: str, names: Iterable[str], *, action: str = UPDATE
    ) -> None:
        for name in names:
            context.tick()
            self._run_one(context, f"{folder}/{name}", action)

    def _run_one(self, context: Context, path: str, action: str) -> None:
        account = self._tree.account(context)
        word = word_for(path)
        env = self._env(context, action) | account.env
        status, said = self._calls.timed(
            context,
            word,
            command=[*account.words, f"{self._tree.root}/{path}"],
            cwd=self._tree.state,
            env=env,
        )
        if status == 0:
            return
        says = f"{path} ended with status {status}"
        if not self._plan.goes_on_after_failed_scripts:
            raise StepFailed(f"{says}.", call=word, output=said)
        context.journal.note(f"{says}; the instance is set to go on.", call=context.key(word))

    def _env(self, context: Context, action: str) -> dict[str, str]:
        plan, tree = self._plan, self._tree
        of_the_instance = {
            key: value
            for key, value in self._tree.environment(context).items()
            if _VARIABLE.fullmatch(key)
        }
        return {
            **of_the_instance,
            "MODULE_ID": plan.instance,
            "AGENT_ID": f"module/{plan.instance}",
            "AGENT_TASK_ACTION": action,
            "AGENT_COMFD": "2",  # where scripts tell their progress: it stands in the history with the rest
            "AGENT_INSTALL_DIR": tree.root,
            "AGENT_STATE_DIR": tree.state,
            "PATH": f"{tree.root}/bin:{self._lib}/bin:{SYSTEM_PATH}",
            "PYTHONPATH": f"{tree.root}/pypkg:{self._lib}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def word_for(path: str) -> str:
    """What a script is called in the history and on the device: its path with dots. Another path has another word."""
    word = _NOT_IN_KEYS.sub("_", path.replace("/", "."))[:LONGEST_WORD]
    if word == path.replace("/", "."):
        return word
    return f"{word}-{hashlib.sha256(_bytes(path)).hexdigest()[:8]}"


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogateescape")
