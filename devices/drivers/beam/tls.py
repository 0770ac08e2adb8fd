"""Distribution over TLS (ssl: "Using TLS for Erlang Distribution"): a hidden `erl` of this machine connects for us.

Our own client speaks the unencrypted protocol only. This way needs Erlang, with its ssl application, on the portal's host,
and reaches nodes over the network only, not through a device's SSH connection. Nothing of a secret is ever on its disk: erl
reads its files from memory that ends with it, and learns the cookie from us.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from devices.drivers.beam.address import BeamAddress
from devices.drivers.beam.epmd import port_of
from devices.drivers.beam.node import Connector
from devices.drivers.beam.terms import Atom, Term, decode, encode
from devices.drivers.beam.trouble import NodeTroubled, read_answer
from devices.drivers.beam.wire import Deadline, Wire, dialled, timed_out
from devices.drivers.dial import dial_straight
from devices.drivers.nodes import Trouble

_END_SECONDS: Final = 2.0

# Frames on one socket, each a term: {connect, Node, Cookie}, or {call, Module, Function, Arguments, Milliseconds}.
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
                {{connect, Name, Cookie}} ->
                    erlang:set_cookie(Name, binary_to_atom(Cookie, latin1)),
                    {{Name, net_kernel:connect_node(Name)}};
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

    def __init__(self, wire: Wire, *, process: subprocess.Popen[bytes]) -> None:
        self._wire = wire
        self._process = process

    def connect(self, node: str, *, cookie: str) -> None:
        proof = cookie.rstrip("\r\n").encode()  # files of cookies end with a line
        if self._asked((Atom("connect"), Atom(node), proof)) != "true":
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
        """The process has ended."""
        self._wire.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def over_tls(address: BeamAddress, *, cookie: str, tls: BeamTls) -> Connector:
    """Speaks through an `erl` of this machine, encrypted."""

    def connector(seconds: float) -> ErlProcess:
        deadline = Deadline(seconds)
        host = address.dialled
        # What erl itself does not tell apart: no epmd, no such node, nobody who listens.
        port = port_of(address, dial=dial_straight, deadline=deadline)
        dialled(dial_straight, host=host, port=port, deadline=deadline).close()
        with contextlib.ExitStack() as undo:
            opened = undo.enter_context(_started(address, tls=tls, deadline=deadline))
            opened.connect(address.node, cookie=cookie)
            undo.pop_all()
        return opened

    return connector


def _started(address: BeamAddress, *, tls: BeamTls, deadline: Deadline) -> ErlProcess:
    with contextlib.ExitStack() as undo, _why_not_started():
        ours, theirs = socket.socketpair()
        undo.enter_context(ours)
        with theirs:
            process = _launched(address, tls=tls, fd=theirs.fileno())
        undo.pop_all()
    ended = NodeTroubled(
        "The portal's own erl ended: its ssl application is missing, or does not take the certificates.",
        reason=Trouble.UNREACHABLE,
    )
    return ErlProcess(Wire(ours, deadline=deadline, when_closed=ended), process=process)


@contextlib.contextmanager
def _why_not_started() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NodeTroubled(
            "TLS distribution needs Erlang on the portal's host, and it is not installed.",
            reason=Trouble.UNREACHABLE,
        ) from None
    except OSError as error:
        raise NodeTroubled(
            f"The portal's own erl could not be started: {error.strerror}.",
            reason=Trouble.UNREACHABLE,
        ) from None


def _launched(address: BeamAddress, *, tls: BeamTls, fd: int) -> subprocess.Popen[bytes]:
    with (
        _in_memory(tls.certificate, tls.key) as pems,
        _in_memory(_options(tls.authority, *pems), _hosts(address)) as (options, hosts),
    ):
        return subprocess.Popen(
            _command(address, options=options, fd=fd),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[fd, *pems, options, hosts],
            cwd="/",
            env=_environment(address, hosts=hosts),
        )


@contextlib.contextmanager
def _in_memory(*texts: str) -> Iterator[list[int]]:
    """Files on no disk, gone with the last process that has them open: who inherits their numbers opens them by `_path`."""
    with contextlib.ExitStack() as files:
        numbers = []
        for text in texts:
            file = files.enter_context(os.fdopen(os.memfd_create("fleetwright-erl"), "w"))
            file.write(text)
            file.flush()
            numbers.append(file.fileno())
        yield numbers


def _path(number: int) -> str:
    return f"/proc/self/fd/{number}"


def _options(authority: str, certificate: int, key: int) -> str:
    try:
        trusted = x509.load_pem_x509_certificates(authority.encode())
    except ValueError:
        raise NodeTroubled(
            "The authority that signed the node's certificate is no certificate in PEM form.",
            reason=Trouble.REFUSED,
        ) from None
    # Not by its place as well: erl resolves that one, to a name under which there is no file.
    authorities = [list(one.public_bytes(Encoding.DER)) for one in trusted]
    binaries = ", ".join(f"<<{str(one)[1:-1]}>>" for one in authorities)
    words = (
        f'{{cacerts, [{binaries}]}}, {{certfile, "{_path(certificate)}"}}, '
        f'{{keyfile, "{_path(key)}"}}, {{verify, verify_peer}}'
    )
    return f"[{{client, [{words}]}}, {{server, [{words}]}}].\n"


def _hosts(address: BeamAddress) -> str:
    """erl dials the host of the node's name: this is how it learns to dial another one."""
    host = address.dialled
    try:
        number = socket.gethostbyname(host).replace(".", ",")
    except socket.gaierror as error:
        raise NodeTroubled(
            f"No IPv4 address of {host} is found, and TLS distribution needs one: {error.strerror}.",
            reason=Trouble.UNREACHABLE,
        ) from None
    name = address.node.partition("@")[2]
    return f'{{lookup, [file, native]}}.\n{{host, {{{number}}}, ["{name}"]}}.\n'


def _command(address: BeamAddress, *, options: int, fd: int) -> list[str]:
    kind = "-name" if "." in address.node.partition("@")[2] else "-sname"
    tls = ["-proto_dist", "inet_tls", "-ssl_dist_optfile", _path(options)]
    # Without a name of its own it listens nowhere, and the node that it visits gives it one.
    quiet = ["-noinput", "-hidden", kind, "undefined", "-kernel", "logger_level", "none"]
    # It is told the cookie later: with none at all it would make one up and write it to its home.
    quiet += ["-setcookie", "none"]
    small = ["+S", "1:1", "+sbwt", "none"]
    return ["erl", *small, *quiet, *tls, "-eval", _SERVE.format(fd=fd)]


def _environment(address: BeamAddress, *, hosts: int) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "ERL_EPMD_PORT": str(address.epmd_port),
        "ERL_INETRC": _path(hosts),
        "ERL_CRASH_DUMP_BYTES": "0",
    }
