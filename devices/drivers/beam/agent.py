"""The module that does the work on the node: brought there when the node does not have it, or has another one."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from devices.drivers.beam.calls import Calls
from devices.drivers.beam.terms import Atom, Term
from devices.drivers.beam.trouble import NodeTroubled
from devices.drivers.nodes import Trouble

MODULE: Final = "fleetwright_hot_patch"
SOURCE: Final = Path(__file__).with_name(f"{MODULE}.erl")
BEAM: Final = Path(__file__).with_name(f"{MODULE}.beam")
_LOAD_SECONDS: Final = 10.0


@cache
def version() -> str:
    """What the module says of itself when it is the one that belongs to this portal: the digest of its source."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]


@cache
def _code() -> bytes:
    return BEAM.read_bytes()


def bring(calls: Calls, *, seconds: float) -> None:
    """The node has our module. Nobody who runs in an older one of it is disturbed; nothing is written there."""
    if _present(calls, seconds=seconds) == version():
        return
    purged = calls.call("code", "soft_purge", arguments=[Atom(MODULE)], seconds=_LOAD_SECONDS)
    # The file name that is shown for the module, as Erlang's lists of characters are.
    row: Term = (Atom(MODULE), list(f"{MODULE}.beam".encode()), _code())
    loaded = purged
    if purged == "true":
        loaded = calls.call("code", "atomic_load", arguments=[[row]], seconds=_LOAD_SECONDS)
    # Somebody else may have brought it at the same time.
    if loaded != "ok" and _present(calls, seconds=seconds) != version():
        raise NodeTroubled(
            "The node does not load the portal's module: an earlier call still runs in an older one."
            if purged == "false"
            else f"The node does not load the portal's module: {str(loaded)[:200]}",
            reason=Trouble.PROTOCOL,
        )


def _present(calls: Calls, *, seconds: float) -> str | None:
    loaded = calls.call("erlang", "module_loaded", arguments=[Atom(MODULE)], seconds=seconds)
    if loaded != "true":
        return None
    answer = calls.call(MODULE, "version", arguments=[], seconds=seconds)
    return answer.decode(errors="replace") if isinstance(answer, bytes) else None


def run(calls: Calls, operation: str, *, request: dict[Term, Term], seconds: float) -> Term:
    """What the module answers. It ends by itself after `seconds`; we wait a little longer than that."""
    now = calls.call("erlang", "system_time", arguments=[Atom("millisecond")], seconds=seconds)
    if not isinstance(now, int):
        raise NodeTroubled("The node does not tell its time.", reason=Trouble.PROTOCOL)
    milliseconds = int(seconds * 1000)
    limited = {
        **request, Atom("milliseconds"): milliseconds, Atom("deadline"): now + milliseconds,
    }  # fmt: skip
    arguments: list[Term] = [Atom(operation), limited]
    return calls.call(MODULE, "run", arguments=arguments, seconds=seconds + 2)
