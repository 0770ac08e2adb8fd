"""Distribution over TLS (ssl: "Using TLS for Erlang Distribution"): a hidden `erl` of this machine connects for us.

Our own client speaks the unencrypted protocol only. This way needs Erlang, with its ssl application, on the portal's host,
and reaches nodes over the network only, not through a device's SSH connection.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final

from devices.drivers.beam.address import BeamAddress
from devices.drivers.beam.epmd import port_of
from devices.drivers.beam.node import Connector
from devices.drivers.beam.terms import Atom, Term, decode, encode
from devices.drivers.beam.trouble import NodeTroubled, read_answer
from devices.drivers.beam.wire import Deadline, Wire, dialled, timed_out
from devices.drivers.dial import dial_straight
from devices.drivers.nodes import Trouble

_END_SECONDS: Final = 2.0

# Frames on one socket, each a term: {connect, Node}, or {call, Module, Function, Arguments, Milliseconds}.
_SERVE: Final = """
Port = open_port({{fd, {fd}, {fd}}}, [binary, {{packet, 4}}, eof]),
Call = fun(Node, M, F, A, Limit) ->
    try {{ok, erpc:call(Node, M, F, A, Limit)}}
    catch
        error:{{erpc, timeout}} -> timed_out;
        error:{{erpc, noconnection}} -> died;
        _:Why -> {{raised, unicode:characters_to_binary(io_lib:format("~0tP", [Why, 20]))}}
    end
end,
Serve = fun Again(Node) ->
    receive
        {{Port, {{data, Data}}}} ->
            {{Next, Answer}} = case binary_to_term(Data) of
                {{connect, Name}} -> {{Name, net_kernel:connect_node(Name)}};
                {{call, M, F, A, Limit}} -> {{Node, Call(Node, M, F, A, Limit)}}
            end,
            port_command(Port, term_to_binary(Answer)),
            Again(Next);
        {{Port, eof}} -> erlang:halt(0, [{{flush, false}}])
    end
end,
Serve(none).
"""


@dataclass(frozen=True, slots=True)
class BeamTls:
    """PEM texts. The node's certificate must be signed by `authority` and name its host; `certificate` and `key` are ours."""

    authority: str
    certificate: str
    key: str = field(repr=False)


class ErlProcess:
    """An `erl` that is connected to one node. See `Calls`. Ends with us, however we end."""

    def __init__(self, wire: Wire, *, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._wire = wire
        self._process = process
        self._folder = folder

    def connect(self, node: str) -> None:
        if self._asked((Atom("connect"), Atom(node))) != "true":
            raise NodeTroubled(
                "The node does not accept our certificate or cookie, or we do not accept its certificate.",
                reason=Trouble.REFUSED,
            )

    def call(self, module: str, function: str, *, arguments: list[Term], seconds: float) -> Term:
        self._wire.deadline = Deadline(seconds + 1)
        limit = int(seconds * 1000)
        answer = self._asked((Atom("call"), Atom(module), Atom(function), arguments, limit))
        match answer:
            case ("ok", value):
                return value
            case ("raised", bytes(why)):
                raise NodeTroubled(
                    f"The node could not do what it was asked: {why.decode(errors='replace')[:500]}",
                    reason=Trouble.PROTOCOL,
                )
            case "timed_out":
                raise timed_out()
        raise NodeTroubled("The connection to the node broke during the call.", reason=Trouble.DIED)

    def _asked(self, request: Term) -> Term:
        message = encode(request)
        self._wire.send(len(message).to_bytes(4) + message)
        frame = self._wire.frame(4)
        with read_answer():
            return decode(frame)

    def __enter__(self) -> ErlProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """The process has ended, and nothing of its secrets is on the disk."""
        self._wire.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def over_tls(address: BeamAddress, *, cookie: str, tls: BeamTls) -> Connector:
    """Speaks through an `erl` of this machine, encrypted."""

    def connector(seconds: float) -> ErlProcess:
        deadline = Deadline(seconds)
        host = address.dialled
        # What erl itself does not tell apart: no epmd, no such node, nobody who listens.
        port = port_of(address, dial=dial_straight, deadline=deadline)
        dialled(dial_straight, host=host, port=port, deadline=deadline).close()
        with contextlib.ExitStack() as undo:
            opened = undo.enter_context(
                _started(address, cookie=cookie, tls=tls, deadline=deadline)
            )
            opened.connect(address.node)
            undo.pop_all()
        return opened

    return connector


def _started(address: BeamAddress, *, cookie: str, tls: BeamTls, deadline: Deadline) -> ErlProcess:
    folder = Path(tempfile.mkdtemp(prefix="fleetwright-erl-"))
    ours, theirs = socket.socketpair()
    try:
        _write_secrets(folder, address=address, cookie=cookie, tls=tls)
        process = subprocess.Popen(
            _command(address, folder=folder, fd=theirs.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd=folder,
            env=_environment(address, folder=folder),
        )
    except OSError:
        ours.close()
        shutil.rmtree(folder, ignore_errors=True)
        raise NodeTroubled(
            "TLS distribution needs Erlang on the portal's host, and it is not installed.",
            reason=Trouble.UNREACHABLE,
        ) from None
    finally:
        theirs.close()
    ended = NodeTroubled(
        "The portal's own erl ended: its ssl application is missing, or does not take the certificates.",
        reason=Trouble.UNREACHABLE,
    )
    return ErlProcess(
        Wire(ours, deadline=deadline, when_closed=ended), process=process, folder=folder
    )


def _write_secrets(folder: Path, *, address: BeamAddress, cookie: str, tls: BeamTls) -> None:
    _write(folder / ".erlang.cookie", cookie)
    _write(folder / "authority.pem", tls.authority)
    _write(folder / "certificate.pem", tls.certificate)
    _write(folder / "key.pem", tls.key)
    files = (
        f'{{cacertfile, "{folder}/authority.pem"}}, {{certfile, "{folder}/certificate.pem"}}, '
        f'{{keyfile, "{folder}/key.pem"}}, {{verify, verify_peer}}'
    )
    _write(folder / "options", f"[{{client, [{files}]}}, {{server, [{files}]}}].\n")
    # erl dials the host of the node's name: this is how it learns to dial another one.
    number = socket.gethostbyname(address.dialled).replace(".", ",")
    name = address.node.partition("@")[2]
    _write(folder / "inetrc", f'{{lookup, [file, native]}}.\n{{host, {{{number}}}, ["{name}"]}}.\n')


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _command(address: BeamAddress, *, folder: Path, fd: int) -> list[str]:
    kind = "-name" if "." in address.node.partition("@")[2] else "-sname"
    tls = ["-proto_dist", "inet_tls", "-ssl_dist_optfile", str(folder / "options")]
    # Without a name of its own it listens nowhere, and the node that it visits gives it one.
    quiet = ["-noinput", "-hidden", kind, "undefined", "-kernel", "logger_level", "none"]
    small = ["+S", "1:1", "+sbwt", "none"]
    return ["erl", *small, *quiet, *tls, "-eval", _SERVE.format(fd=fd)]


def _environment(address: BeamAddress, *, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "ERL_EPMD_PORT": str(address.epmd_port),
        "ERL_INETRC": str(folder / "inetrc"),
        "ERL_CRASH_DUMP_BYTES": "0",
    }
