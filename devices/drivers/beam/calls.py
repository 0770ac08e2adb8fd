"""Calling functions on a node: what every way to do so promises."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from devices.drivers.beam.terms import Term


class Calls(Protocol):
    """An open way into a node. One call at a time."""

    def call(self, module: str, function: str, *, arguments: list[Term], seconds: float) -> Term:
        """What `module:function(arguments)` gave there.

        `NodeTroubled` otherwise: TIMED_OUT after `seconds`, DIED when the connection broke, PROTOCOL when the call raised.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
