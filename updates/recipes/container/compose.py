"""Docker Compose on a device: found there, asked there, called with the very files that made the container.

`docker compose` (2 or newer) is taken if the device has it, else `docker-compose`, which may be a 1. Whatever way the portal
itself has to the engine, Compose is called on the device, where the files are.

Where the two differ, by their sources: docker/compose at 1.29.2 (tested here against Debian's package), and at the tags v2 to
v5 under cmd/compose and pkg/compose (read, not run: no registry that tests may use has it).

  * `-f` is relative to where 1 is called, and to `--project-directory` in 2: we only give absolute paths.
  * `.env` is read from `--project-directory`; 2 reads the one of where it is called first: we call it in that directory.
    `--env-file` may come once in 1, several times in 2.
  * Containers are called `project_service_1` by 1, `project-service-1` by 2. With `--compatibility`, 2 keeps to the first.
    1 cannot keep to the second: then it is refused, for the container would come back under another name.
  * `--pull never` is 2's alone. 1 pulls a missing image (ensure_image_exists in service.py), so it has to be there before.
  * 1 creates a container in the first of its networks, and joins the others when it starts it itself (start_container in
    service.py): one that the engine starts instead lacks them. So who creates with Compose starts with Compose.
  * Without `--scale`, `up` goes back to what the files say, in both; we always say how many there are to be.
  * `config` prints services of all profiles in 1; in 2 those of the active ones, and of all with `--profile "*"` from 2.20 on
    (a profile that nobody has before). A service that is named on the command line is active in both.
  * `ps` lists stopped containers in 1, in 2 with `--all`.
  * `up --no-start --force-recreate` stops what runs, creates the new container, removes the old one: 1 renames the old one
    to `<its id>_name` before, 2 gives the new one such a name until the old one is gone. Anonymous volumes go over. Broken
    off in between, there are two containers of the service; the same call once more makes one of them again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

from devices.drivers.shell import Shell
from updates.errors import ComposeMissing, ComposeRefused
from updates.formats.compose import LARGEST_BYTES, ComposeConfig, ComposeProject, read_config

SHORT_SECONDS: Final = 60.0
"""For calls that only look: which Compose there is, what the files say."""

_PROGRAMS: Final = (("docker", "compose"), ("docker-compose",))
_VERSION: Final = re.compile(r"v?([0-9]{1,4})\.[0-9]+[^\s]{0,64}", re.ASCII)
_CONTAINER: Final = re.compile(r"[0-9a-f]{12,64}", re.ASCII)
_COMPLAINT: Final = 400
_COMPLAINTS_BYTES: Final = 65536

# What it prints, a NUL, the end of what it complains of: neither has one. $1 is how long that may be.
_APART: Final = r"""
most=$1
shift
{ said=$("$@" 2>&1 >&3 3>&-); status=$?; } 3>&1
printf '\0'
printf '%s' "$said" | tail -c "$most"
exit "$status"
"""
_WITHOUT: Final = 'for file; do [ -f "$file" ] && [ -r "$file" ] || printf "%s\\n" "$file"; done'


@dataclass(frozen=True, slots=True)
class ComposeCall:
    """A command for the device, to be run where and with what it says."""

    command: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Program:
    """Compose as a device has it."""

    words: tuple[str, ...]
    version: str
    major: int

    @classmethod
    def found(cls, shell: Shell) -> Self:
        """The device's. ComposeMissing if it has none."""
        for words in _PROGRAMS:
            result = shell.run([*words, "version", "--short"], limit_seconds=SHORT_SECONDS)
            lines = result.output.decode(errors="replace").split()
            matched = _VERSION.fullmatch(lines[-1]) if lines and not result.status else None
            if matched:
                return cls(words=words, version=matched[0], major=int(matched[1]))
        raise ComposeMissing(
            "The container belongs to a Compose project, but the device has neither `docker compose` nor `docker-compose` "
            "for the user that the portal logs in as: install Docker's Compose plugin there."
        )

    def __str__(self) -> str:
        return f"{' '.join(self.words)} {self.version}"


class Compose:
    """One service of one project, through the device's Compose.

    `docker_host` is where that reaches the engine (`DOCKER_HOST`), empty for its own default.
    """

    def __init__(
        self,
        shell: Shell,
        program: Program,
        project: ComposeProject,
        *,
        container: str,
        docker_host: str = "",
    ) -> None:
        """`container` is the name of the service's container now. ComposeRefused if this Compose would give it another one."""
        self._shell = shell
        self._program = program
        self._env = {"DOCKER_HOST": docker_host} if docker_host else {}
        self._project = self._with_own_env_file(project)
        own = project.name, project.service
        self._keeps_names = bool(
            re.fullmatch(rf"{'_'.join(map(re.escape, own))}_[0-9]+", container)
        )
        named_by_2 = re.fullmatch(rf"{'-'.join(map(re.escape, own))}-[0-9]+", container)
        if program.major < 2 and named_by_2 and not self._keeps_names:
            raise ComposeRefused(
                "other-compose",
                f"The container {container} was made by Compose 2, and the device has {program} alone, which would give it "
                "another name: install Docker's Compose plugin there.",
            )
        if program.major < 2 and len(self._project.env_files) > 1:
            raise ComposeRefused(
                "other-compose",
                f"The project {project.name} was started with several env files, of which {program} takes one only: "
                "install Docker's Compose plugin on the device.",
            )

    @property
    def program(self) -> Program:
        return self._program

    def missing_files(self) -> list[str]:
        """Those of the project's files, and of its env files, that are not on the device or cannot be read there."""
        wanted = [*self._project.files, *self._project.env_files]
        result = self._shell.run(["sh", "-c", _WITHOUT, "sh", *wanted], limit_seconds=SHORT_SECONDS)
        return result.output.decode(errors="replace").splitlines()

    def refuse_missing_files(self) -> None:
        """ComposeRefused, with their names, unless all of the project's files are on the device."""
        if missing := self.missing_files():
            raise ComposeRefused(
                "file-missing",
                f"The Compose project {self._project.name} was started with {', '.join(missing)}, which the device has not "
                "or does not let us read: put it back, or start the project once with the files that are to count.",
            )

    def config(self) -> ComposeConfig:
        """What the project's files say together, today. ComposeRefused with what Compose says if it does not take them."""
        self.refuse_missing_files()
        profiles = ["--profile", "*"] if self._program.major >= 2 else []
        status, printed, said = self._asked(self._call(profiles, "config"))
        if status:
            raise ComposeRefused(
                "invalid",
                f"{self._program} does not take {', '.join(self._project.files)}: {_last(said)}",
            )
        return read_config(printed, complaints=said)

    def create(self, *, scale: int, grace_seconds: int) -> ComposeCall:
        """Makes the service's containers anew, without starting them or anything else: from the image that has the tag by now.

        There are `scale` of them then, whatever the files say: the operator may have asked for more. What runs is stopped,
        with so long to end by itself. Run again, it does the same again.
        """
        service = self._project.service
        pull = ["--pull", "never"] if self._program.major >= 2 else []
        words = ["up", "--no-start", "--force-recreate", "--no-deps", "--no-build", *pull]
        scaled = ["--scale", f"{service}={scale}"]
        return self._call(self._names, *words, *scaled, "--timeout", str(grace_seconds), service)

    def start(self) -> ComposeCall:
        """Starts the service's containers. Those that run go on."""
        return self._call(self._names, "start", self._project.service)

    def stop(self, *, grace_seconds: int) -> ComposeCall:
        """Stops them; after so long they are killed."""
        return self._call(
            self._names, "stop", "--timeout", str(grace_seconds), self._project.service
        )

    def containers(self) -> list[str]:
        """The ids of the service's containers, stopped ones too: one, or two when a `create` was broken off.

        With those that `compose run` has running now.
        """
        stopped = ["--all"] if self._program.major >= 2 else []
        call = self._call(self._names, "ps", "--quiet", *stopped, self._project.service)
        status, printed, said = self._asked(call)
        if status:
            raise ComposeRefused(
                "invalid", f"{self._program} does not list containers: {_last(said)}"
            )
        return [
            word for word in printed.decode(errors="replace").split() if _CONTAINER.fullmatch(word)
        ]

    def _asked(self, call: ComposeCall) -> tuple[int, bytes, str]:
        """Its status, what it printed, and what it complained of."""
        result = self._shell.run(
            ["sh", "-c", _APART, "sh", str(_COMPLAINTS_BYTES), *call.command],
            limit_seconds=SHORT_SECONDS,
            cwd=call.cwd,
            env=call.env,
            # More than that of what it prints is refused by its reader, so what was cut off here is, too.
            keep_bytes=LARGEST_BYTES + _COMPLAINTS_BYTES + 2,
        )
        printed, _, said = result.output.rpartition(b"\0")
        return result.status, printed, said.decode(errors="replace")

    @property
    def _names(self) -> Sequence[str]:
        return ["--compatibility"] if self._program.major >= 2 and self._keeps_names else []

    def _call(self, options: Sequence[str], *words: str) -> ComposeCall:
        project = self._project
        files = [word for file in project.files for word in ("-f", file)]
        env_files = [word for file in project.env_files for word in ("--env-file", file)]
        named = ["-p", project.name, "--project-directory", project.working_dir]
        command = (
            *self._program.words,
            "--ansi",
            "never",
            *named,
            *files,
            *env_files,
            *options,
            *words,
        )
        return ComposeCall(command=command, cwd=project.folder, env=self._env)

    def _with_own_env_file(self, project: ComposeProject) -> ComposeProject:
        """Its `.env` named, where Compose would not find it by itself: it looks in the directory as the engine's host has it."""
        if project.folder == project.working_dir or project.env_files:
            return project
        found = self._shell.run(["test", "-f", project.own_env_file], limit_seconds=SHORT_SECONDS)
        return replace(project, env_files=() if found.status else (project.own_env_file,))


def _last(said: str) -> str:
    """The end of what was said, for a sentence: what is wrong comes last."""
    lines = [line.strip() for line in said.splitlines() if "variable is not set" not in line]
    text = " ".join(" ".join(lines).split())
    return "".join(one for one in text[-_COMPLAINT:] if one.isprintable()) or "it gives no reason."
