"""How a payload reaches an Update Module: through named pipes if it reads them, else as files; on every kind of device."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from devices.drivers.shell import Shell
from devices.drivers.steps import StepSpec, run_step
from devices.errors import CommandTimedOut
from tests.drivers.stage import Stage
from tests.environment.waiting import wait_until
from updates.recipes.download_script import DOWNLOAD

PAYLOAD = {"a.bin": os.urandom(300_000), "-b": b"small\n", "empty": b""}

READS_ALL = """
mkdir got
while line=$(cat stream-next) && [ -n "$line" ]; do
  echo "$line" >>lines
  set -- $line
  cat "$1" >"got/${1#streams/}"
done
"""
LIMIT_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Home:
    """What lies on a device when an Update Module is asked to download."""

    shell: Shell
    stage: Stage

    @property
    def path(self) -> Path:
        return self.stage.root / "work" / "upgrade-7"

    @property
    def tree(self) -> Path:
        return self.path / "tree"

    def lay_out(self, module: str, payload: dict[str, bytes]) -> None:
        self.tree.mkdir(parents=True)
        (self.path / "payload").mkdir()
        for name, content in payload.items():
            (self.path / "payload" / name).write_bytes(content)
        lines = [f"{name} {len(content)}\n" for name, content in payload.items()]
        (self.path / "payload.list").write_text("".join(lines))
        script = self.stage.root / "module"
        script.write_text(f"#!/bin/sh\n{module}")
        script.chmod(0o755)

    def download(
        self, *, sizes: str = "No", limit_seconds: float = LIMIT_SECONDS
    ) -> tuple[int, str]:
        """How the module's Download ended: its status and its output."""
        said = bytearray()
        module = str(self.stage.root / "module")
        command = ["sh", "-c", DOWNLOAD, "sh", str(self.path), sizes, module, "Download"]
        spec = StepSpec(key="0004-Download", command=command, cwd=str(self.tree))
        end = run_step(
            self.shell,
            spec,
            holder=self.stage.holder(),
            limit_seconds=limit_seconds,
            on_output=said.extend,
        )
        return end.status, said.decode()

    def files(self, folder: str) -> dict[str, bytes] | None:
        path = self.tree / folder
        return {file.name: file.read_bytes() for file in path.iterdir()} if path.exists() else None

    def left(self) -> set[str]:
        """What lies in the tree that is not the module's own doing."""
        return {path.name for path in self.tree.iterdir()} & {"stream-next", "streams", "files"}


@pytest.fixture
def home(shell: Shell, stage: Stage) -> Home:
    return Home(shell, stage)


def test_a_module_that_reads_nothing_gets_files(home: Home) -> None:
    home.lay_out("test -p stream-next && test -p streams/a.bin && test -p streams/empty", PAYLOAD)

    assert home.download() == (0, "")

    assert home.files("files") == PAYLOAD
    assert home.left() == {"files"}
    assert not (home.path / "payload").exists()


def test_a_module_that_reads_the_streams_gets_no_files(home: Home) -> None:
    home.lay_out(READS_ALL, PAYLOAD)

    assert home.download() == (0, "")

    assert home.files("got") == PAYLOAD
    assert (home.tree / "lines").read_text().split() == [f"streams/{name}" for name in PAYLOAD]
    assert home.left() == set()
    assert not (home.path / "payload").exists()


def test_a_module_that_wants_sizes_is_told_them(home: Home) -> None:
    home.lay_out(READS_ALL, PAYLOAD)

    assert home.download(sizes="Yes") == (0, "")

    lines = (home.tree / "lines").read_text().splitlines()
    assert lines == [f"streams/{name} {len(content)}" for name, content in PAYLOAD.items()]
    assert home.files("got") == PAYLOAD


@pytest.mark.parametrize("module", ["true", READS_ALL], ids=["reads nothing", "reads"])
def test_an_empty_payload(home: Home, module: str) -> None:
    home.lay_out(module, {})

    assert home.download() == (0, "")

    assert not home.files("files")
    assert not home.files("got")


@pytest.mark.parametrize(
    ("module", "missing"),
    [
        ("cat stream-next", "a.bin"),
        ('cat "$(cat stream-next)" >/dev/null', "a.bin"),
        ('cat "$(cat stream-next)" >/dev/null; cat stream-next', "-b"),
        ('head -c 5 "$(cat stream-next)" >/dev/null; cat stream-next', "a.bin"),
    ],
    ids=["only the name", "one file", "one file and a name", "closed too early"],
)
def test_a_module_that_begins_to_read_has_to_read_all(
    home: Home, module: str, missing: str
) -> None:
    home.lay_out(module, PAYLOAD)

    status, said = home.download()

    assert status == 1
    assert f"ended before it had read them all: {missing} was next." in said
    assert home.left() == set()


@pytest.mark.parametrize("module", ["exit 7", "cat stream-next >/dev/null; exit 7"])
def test_a_module_that_fails_fails_with_its_own_status(home: Home, module: str) -> None:
    home.lay_out(module, PAYLOAD)

    assert home.download() == (7, "")

    assert home.left() == set()


@pytest.mark.parametrize("module", ["sleep 600", "cat stream-next >/dev/null; sleep 600"])
def test_nothing_is_left_of_a_module_that_hangs_or_of_its_feeder(home: Home, module: str) -> None:
    home.lay_out(module, PAYLOAD)

    with pytest.raises(CommandTimedOut):
        home.download(limit_seconds=1)

    wait_until(
        lambda: not home.stage.living(), seconds=10, what="the end of the module and its feeder"
    )


def test_half_a_transfer_of_an_earlier_worker_is_not_among_the_files(home: Home) -> None:
    home.lay_out("true", PAYLOAD)
    (home.path / "payload" / ".fleetwright-0123.part").write_text("half")

    assert home.download() == (0, "")

    assert home.files("files") == PAYLOAD
