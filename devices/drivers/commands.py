"""One command on a device, from its start to its end, over any Link. What every Shell's `run` and transfers are made of."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Generator, Iterable, Iterator, Sequence

from devices.drivers.far_side import BOOT_WORDS, GREETING, KILL_SESSION
from devices.drivers.link import Link, Stream
from devices.drivers.shell import OnOutput, OnTick, Result
from devices.drivers.words import shell_text
from devices.errors import (
    CommandFailed,
    CommandTimedOut,
    DeviceError,
    DeviceUnreachable,
    OutOfSpace,
)

QUICK_SECONDS = 60.0
"""Enough for a question that a healthy device answers at once."""

STALL_SECONDS = 300.0
"""A transfer may take any time, but not this long without a byte moving."""

# The third is how GNU tar says it.
_NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded|: Wrote only \d+ of \d+ bytes")
_GREETING_SECONDS = 30.0
_MOST_NOISE_BYTES = 65536
_WAIT_SECONDS = 0.2
_TICK_SECONDS = 0.5
_PIECE_BYTES = 65536
# A daemon that left the session may still hold the output: the command itself is over, so do not wait for that one.
_HELD_OUTPUT_SECONDS = 1.0


class Watch:
    """The time that is left, and the caller's pulse. `stall_seconds` counts from the last sign of progress."""

    def __init__(
        self,
        *,
        limit_seconds: float | None = None,
        stall_seconds: float | None = None,
        on_tick: OnTick | None = None,
    ) -> None:
        now = time.monotonic()
        self._limit_seconds = limit_seconds
        self._ends = None if limit_seconds is None else now + limit_seconds
        self._stall_seconds = stall_seconds
        self._progress = now
        self._on_tick = on_tick
        self._next_tick = now

    def progressed(self) -> None:
        self._progress = time.monotonic()

    def left_seconds(self) -> float:
        return float("inf") if self._ends is None else self._ends - time.monotonic()

    def tick(self) -> None:
        """Gives the caller its pulse; `CommandTimedOut` when the time is over."""
        now = time.monotonic()
        if self._on_tick is not None and now >= self._next_tick:
            self._next_tick = now + _TICK_SECONDS
            self._on_tick()
        if self._ends is not None and now >= self._ends:
            raise CommandTimedOut(
                f"The command was still running after {self._limit_seconds:g} seconds; it was killed."
            )
        if self._stall_seconds is not None and now - self._progress > self._stall_seconds:
            raise CommandTimedOut(
                f"No byte has moved for {self._stall_seconds:g} seconds; the transfer was stopped."
            )

    def pause(self, seconds: float) -> None:
        """Lets the time pass, with the pulse going on. Returns early when the time is over."""
        until = time.monotonic() + min(seconds, max(self.left_seconds(), 0))
        while (left := until - time.monotonic()) > 0:
            self.tick()
            time.sleep(min(left, _WAIT_SECONDS))


class RunningCommand:
    """A command that runs on the device. `text` is what its shell reads; `input_` goes to its standard input."""

    def __init__(self, link: Link, text: str, *, input_: Iterable[bytes] | None = None) -> None:
        self._link = link
        self._stream: Stream = link.open(BOOT_WORDS)
        self._session: int | None = None
        self._early = b""
        self._ended_at: float | None = None
        body = text.encode("utf-8", "surrogateescape")
        self._pending = memoryview(b"%d\n" % body.count(b"\n") + body)
        self._input: Iterator[bytes] | None = iter(input_ or ())
        self._progressed = False

    def begin(self, watch: Watch) -> None:
        """The device has said which session it is; only now does it learn the command."""
        greeted = Watch(limit_seconds=_GREETING_SECONDS)
        heard = b""
        while self._session is None:
            piece = self._stream.move(memoryview(b""), wait_seconds=_WAIT_SECONDS).output
            heard += piece or b""
            before, greeting, after = heard.partition(b"\n" + GREETING + b" ")
            number, newline, rest = after.partition(b"\n")
            if greeting and newline:
                self._session, self._early = int(number), rest
            elif piece == b"" or len(heard) > _MOST_NOISE_BYTES:
                said = (before + self._stream.errors())[-500:].decode("utf-8", "replace").strip()
                raise DeviceUnreachable(f"The login does not give us a POSIX shell. {said}".strip())
            watch.tick()
            try:
                greeted.tick()
            except CommandTimedOut:
                raise DeviceUnreachable("The login's shell does not answer.") from None

    def output(self, *, wait_seconds: float = _WAIT_SECONDS) -> bytes | None:
        """Feeds the input and returns what came: None for nothing yet, empty when all is over."""
        if self._early:
            early, self._early = self._early, b""
            return early
        self._progressed = False
        self._refill()
        moved = self._stream.move(self._pending, wait_seconds=wait_seconds)
        self._progressed = bool(moved.taken or moved.output)
        self._pending = self._pending[moved.taken :]
        if moved.output:
            self._ended_at = None
            return moved.output
        return self._end(moved.output)

    def _end(self, output: bytes | None) -> bytes | None:
        if self._stream.status() is None:
            if output == b"":
                time.sleep(
                    0.005
                )  # the status follows the end of the output, or the connection breaks
            return None
        if self._ended_at is None:
            self._ended_at = time.monotonic()
        held = time.monotonic() - self._ended_at < _HELD_OUTPUT_SECONDS
        return None if output is None and held else b""

    def _refill(self) -> None:
        while not self._pending and self._input is not None:
            piece = next(self._input, None)
            if piece is None:
                self._input = None
                self._stream.end_input()
            else:
                self._pending = memoryview(piece)

    @property
    def progressed(self) -> bool:
        """Whether the last `output` moved a byte in either direction."""
        return self._progressed

    def status(self) -> int:
        """How it ended; only once `output` was empty."""
        status = self._stream.status()
        if status is None:
            raise DeviceUnreachable("The command's exit status is not known.")
        return 128 - status if 128 < status <= 192 else status

    def errors(self) -> bytes:
        return self._stream.errors()

    def kill(self, *, after_seconds: float) -> bool:
        """Nothing of the command's session runs any more; TERM first, after `after_seconds` KILL. False: it would not die."""
        if self._session is None:
            return True
        words = ["sh", "-c", KILL_SESSION, "sh", str(self._session), str(int(after_seconds * 10))]
        watch = Watch(limit_seconds=after_seconds + QUICK_SECONDS)
        return converse(self._link, shell_text(words), watch=watch).status == 0

    def close(self) -> None:
        self._stream.close()


def converse(
    link: Link,
    text: str,
    *,
    watch: Watch,
    input_: Iterable[bytes] | None = None,
    on_output: OnOutput | None = None,
    keep_bytes: int = 65536,
    kill_after_seconds: float = 10.0,
) -> Result:
    """The command has ended, or was killed because the time is over or because the caller's functions raised."""
    kept = b""
    command = RunningCommand(link, "exec 2>&1\n" + text, input_=input_)
    try:
        command.begin(watch)
        while (piece := command.output()) != b"":
            if command.progressed:
                watch.progressed()
            if piece:
                kept = (kept + piece)[-keep_bytes:] if keep_bytes else b""
                if on_output is not None:
                    on_output(piece)
            watch.tick()
        return Result(status=command.status(), output=kept)
    except DeviceUnreachable:
        raise
    except CommandTimedOut:
        if not command.kill(after_seconds=kill_after_seconds):
            raise CommandTimedOut(
                "The command was still running at its time limit, and the device could not kill it."
            ) from None
        raise
    except BaseException:
        with contextlib.suppress(DeviceError):
            command.kill(after_seconds=kill_after_seconds)
        raise
    finally:
        command.close()


def read(link: Link, text: str) -> Generator[bytes, None, None]:
    """What a command writes, in pieces, as fast as the reader takes them. A status that is not 0 is raised at the end."""
    watch = Watch(stall_seconds=STALL_SECONDS)
    command = RunningCommand(link, text)
    finished = False
    try:
        command.begin(watch)
        while (piece := command.output()) != b"":
            if piece:
                yield piece
                watch.progressed()
            watch.tick()
        finished = True
        demand_success(Result(status=command.status(), output=command.errors()))
    finally:
        if not finished:
            with contextlib.suppress(DeviceError):
                command.kill(after_seconds=1)
        command.close()


def ask(link: Link, words: Sequence[str], *, input_: Iterable[bytes] | None = None) -> str:
    """What a quick command of ours says. Any status but 0 is raised."""
    watch = (
        Watch(stall_seconds=STALL_SECONDS)
        if input_ is not None
        else Watch(limit_seconds=QUICK_SECONDS)
    )
    text = shell_text(words, env={"LC_ALL": "C"})
    return demand_success(converse(link, text, watch=watch, input_=input_, kill_after_seconds=1))


def demand_success(result: Result) -> str:
    """The output of a command of ours that ended well; else `OutOfSpace` or `CommandFailed`."""
    said = result.output.decode("utf-8", "surrogateescape")
    if result.status == 0:
        return said
    last = said[-2048:].encode("utf-8", "replace").decode().strip()
    if _NO_ROOM.search(said):
        raise OutOfSpace(f"The device has no room: {last[-300:]}")
    raise CommandFailed(
        f"A command on the device ended with status {result.status}: {last[-300:] or 'it said nothing'}",
        status=result.status,
        output=last,
    )
