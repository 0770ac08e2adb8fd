"""Real Erlang nodes, each running a small OTP application from a folder of its own, or from a shared one."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from devices.drivers.beam.address import BeamAddress
from devices.drivers.beam.agent import BEAM as AGENT_BEAM
from devices.drivers.beam.agent import SOURCE as AGENT_SOURCE
from devices.drivers.beam.distribution import Distribution, connect
from devices.drivers.beam.node import BeamNode, Limits, over_distribution
from devices.drivers.beam.terms import Term
from devices.drivers.beam.trouble import NodeTroubled
from devices.drivers.dial import dial_straight
from tests.environment.child import Child
from tests.environment.ports import free_port
from tests.environment.programs import program
from tests.environment.waiting import wait_until

APP = Path(__file__).with_name("beam_app")
MODULES = ("bay_app", "bay_counter", "bay_greeting", "bay_spare")
EBIN = "lib/bay-1.0.0/ebin"
START_SECONDS = 30
CALL_SECONDS = 10


class ErlangNode:
    """A node that runs the application in `root`. Its name is known to the world's own epmd."""

    def __init__(
        self,
        world: Erlang,
        *,
        name: str,
        root: Path,
        options: tuple[str, ...] = (),
        run_from: Path | None = None,
        runs: str = "bay",
        program: tuple[str, ...] = (),
    ) -> None:
        self.world = world
        self.name = f"{name}@localhost"
        self.root = root
        self._options = options
        self._run_from = run_from or root
        self._runs = runs
        self._program = program or (world.erl,)
        self._child: Child | None = None

    @property
    def address(self) -> BeamAddress:
        return BeamAddress(
            node=self.name,
            host="127.0.0.1",
            epmd_port=self.world.epmd_port,
            root=str(self._run_from),
            application="bay",
        )

    def runtime(
        self, *, cookie: str | None = None, limits: Limits | None = None, root: str = ""
    ) -> BeamNode:
        """The product's way to this node."""
        address = replace(self.address, root=root or self.address.root)
        connector = over_distribution(address, cookie=cookie or self.world.cookie)
        return BeamNode(address, connector=connector, limits=limits)

    def start(self) -> None:
        """The application runs."""
        self.launch()
        self.await_running()

    def launch(self) -> None:
        """The node is on its way; `await_running` says when it is there. So many nodes start at once."""
        epmd = f"ERL_EPMD_PORT={self.world.epmd_port}"
        home = ["env", f"HOME={self.world.home}", epmd, "ERL_CRASH_DUMP_BYTES=0"]
        quiet = ["-noinput", "-start_epmd", "false", "+S", "2:2", "+sbwt", "none", "+A", "1"]
        loopback = ["-kernel", "inet_dist_use_interface", "{127,0,0,1}"]
        self._child = Child(
            [
                *home,
                *self._program,
                *quiet,
                *loopback,
                "-sname",
                self.name,
                "-pa",
                str(self._run_from / EBIN),
                *self._options,
                "-eval",
                f"{{ok, _}} = application:ensure_all_started({self._runs}).",
            ],
            log=self.world.home / f"{self.name}.log",
        )

    def await_running(self) -> None:
        try:
            wait_until(self._is_up, seconds=START_SECONDS, what=f"{self._runs} on {self.name}")
        except TimeoutError as error:
            raise RuntimeError(f"{error}: {self._require().tail()}") from None

    def _is_up(self) -> bool:
        if not self._require().running:
            raise RuntimeError(f"{self.name} ended at once: {self._require().tail()}")
        with contextlib.suppress(NodeTroubled):
            running = self.call("application", "which_applications")
            assert isinstance(running, list)
            return any(isinstance(row, tuple) and row[0] == self._runs for row in running)
        return False

    def call(self, module: str, function: str, *arguments: Term) -> Term:
        """What the function gives on the running node."""
        with self.connected() as calls:
            return calls.call(module, function, arguments=list(arguments), seconds=CALL_SECONDS)

    def evaluate(self, expression: str, *, seconds: float = CALL_SECONDS) -> Term:
        """The value of an Erlang expression on the node. No final dot."""
        text: list[Term] = [*f"{expression}.".encode()]
        with self.connected() as calls:
            tokens = calls.call("erl_scan", "string", arguments=[text], seconds=CALL_SECONDS)
            assert isinstance(tokens, tuple) and tokens[0] == "ok", tokens
            parsed = calls.call(
                "erl_parse", "parse_exprs", arguments=[tokens[1]], seconds=CALL_SECONDS
            )
            assert isinstance(parsed, tuple) and parsed[0] == "ok", parsed
            value = calls.call("erl_eval", "exprs", arguments=[parsed[1], []], seconds=seconds)
            assert isinstance(value, tuple) and value[0] == "value", value
            return value[1]

    def connected(self) -> Distribution:
        return connect(
            self.address, cookie=self.world.cookie, dial=dial_straight, seconds=CALL_SECONDS
        )

    def stop(self) -> None:
        """The node has ended, and epmd has forgotten it."""
        if self._child is not None:
            self._child.signal(signal.SIGCONT)
            self._child.kill()
            self._child = None
            wait_until(self._is_forgotten, seconds=10, what=f"epmd without {self.name}")

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """The node was ended without being asked, as in a crash."""
        self._require().kill()

    def freeze(self) -> None:
        """The node keeps its ports open and answers nothing, until it is told to `go_on`."""
        self._require().signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._require().signal(signal.SIGCONT)

    def log(self) -> str:
        return (self.world.home / f"{self.name}.log").read_text(errors="replace")

    def _is_forgotten(self) -> bool:
        try:
            connect(self.address, cookie=self.world.cookie, dial=dial_straight, seconds=1).__exit__(
                None, None, None
            )
        except NodeTroubled as trouble:
            return "knows no node" in str(trouble)
        return False

    def _require(self) -> Child:
        if self._child is None:
            raise RuntimeError(f"{self.name} does not run")
        return self._child


class Erlang:
    """A world of nodes: an epmd and a cookie of its own, and a node that compiles. Use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        self.cookie = secrets.token_hex(16)
        self.erl = program("erl", package="erlang-base")
        self.epmd_port = free_port()
        self._nodes: list[ErlangNode] = []
        self._compiled: dict[tuple[object, ...], bytes] = {}

    def __enter__(self) -> Erlang:
        self.home.mkdir(parents=True, exist_ok=True)
        cookie = self.home / ".erlang.cookie"
        cookie.touch(mode=0o600)
        cookie.write_text(self.cookie)
        cookie.chmod(0o400)
        self._epmd = Child(
            [
                program("epmd", package="erlang-base"),
                "-address",
                "127.0.0.1",
                "-port",
                str(self.epmd_port),
            ],
            log=self.home / "epmd.log",
        )
        return self

    def __exit__(self, *_: object) -> None:
        for node in self._nodes:
            node.stop()
        self._epmd.kill()

    def node(
        self,
        name: str,
        *,
        root: Path,
        options: tuple[str, ...] = (),
        run_from: Path | None = None,
        without: tuple[str, ...] = (),
        release: bool = False,
    ) -> ErlangNode:
        """A node that is not started yet; ended with the world. `root` gets the application if it is not there.

        `run_from`: the path by which the node knows `root`, such as a symbolic link. `without`: modules that are left out.
        `release`: `root` holds Erlang's own libraries too, beside the application, as releases do.
        """
        self.install(root, without=without)
        program = self._install_runtime(root) if release else ()
        node = ErlangNode(
            self, name=name, root=root, options=options, run_from=run_from, program=program
        )
        self._nodes.append(node)
        return node

    def start(self, *nodes: ErlangNode) -> None:
        """All of them run; they start at the same time."""
        for node in nodes:
            node.launch()
        for node in nodes:
            node.await_running()

    def install(self, root: Path, *, without: tuple[str, ...] = ()) -> None:
        """The application lies in `root`, in version 1, unless some is there already."""
        ebin = root / EBIN
        if ebin.exists():
            return
        ebin.mkdir(parents=True)
        shutil.copy(APP / "bay.app", ebin)
        for module in MODULES:
            if module not in without:
                (ebin / f"{module}.beam").write_bytes(self.compiled(module))

    def _install_runtime(self, root: Path) -> tuple[str, ...]:
        """How to start a node whose own libraries lie below `root`."""
        said = self._compiler.evaluate(
            '{list_to_binary(code:root_dir()), list_to_binary("erts-" ++ erlang:system_info(version))}'
        )
        assert isinstance(said, tuple)
        home, erts = (Path(part.decode()) for part in said if isinstance(part, bytes))
        for library in ("kernel-*", "stdlib-*"):
            (found,) = (home / "lib").glob(library)
            shutil.copytree(found / "ebin", root / "lib" / found.name / "ebin")
        (root / "bin").mkdir()
        shutil.copy(home / "bin" / "start_clean.boot", root / "bin" / "start.boot")
        binaries = home / erts / "bin"
        places = (f"ROOTDIR={root}", f"BINDIR={binaries}", "EMU=beam", "PROGNAME=erl")
        return ("env", *places, str(binaries / "erlexec"), "-boot", str(root / "bin" / "start"))

    def compiled(self, module: str, *, v: int = 1, options: str = "") -> bytes:
        """One of the application's modules in version `v`. `options`: more for Erlang's compiler, as terms."""
        return self.compile((APP / f"{module}.erl").read_text(), v=v, options=options)

    def compile(self, source: str, *, v: int = 1, options: str = "") -> bytes:
        """The beam that `source` gives."""
        key = (source, v, options)
        if key not in self._compiled:
            place = self.home / f"source{len(self._compiled)}.erl"
            place.write_text(source)
            more = f", {options}" if options else ""
            answer = self._compiler.evaluate(
                f"compile:file(\"{place}\", [binary, return_errors, deterministic, {{d, 'V', {v}}}{more}])"
            )
            assert isinstance(answer, tuple) and answer[0] == "ok", answer
            beam = answer[2]
            assert isinstance(beam, bytes)
            self._compiled[key] = beam
        return self._compiled[key]

    @cached_property
    def _compiler(self) -> ErlangNode:
        """Runs the compiler, and no application."""
        node = ErlangNode(self, name="compiler", root=self.home, runs="compiler")
        self._nodes.append(node)
        node.start()
        return node


AGENT_OPTIONS = ("+deterministic", "+r23")
"""Instructions that OTP 23 knows, which is the oldest node that our handshake speaks with."""


def compile_agent(folder: Path) -> bytes:
    """The node's side of a hot patch, compiled from its source."""
    digest = hashlib.sha256(AGENT_SOURCE.read_bytes()).hexdigest()[:16]
    command = [program("erlc", package="erlang-base"), "-Wall", "-Werror", *AGENT_OPTIONS]
    subprocess.run(
        [*command, f'-DVERSION="{digest}"', "-o", str(folder), str(AGENT_SOURCE)],
        check=True,
        stdout=sys.stderr,
    )
    return (folder / AGENT_BEAM.name).read_bytes()


if __name__ == "__main__":
    compile_agent(AGENT_BEAM.parent)
