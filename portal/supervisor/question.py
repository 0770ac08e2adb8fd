"""The question that Ctrl-C asks before the group is stopped."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Final

STDIN: Final = 0


class StopQuestion:
    """Whether to stop. `why_not` gives a reason to ask (a sentence); without a reason, or a terminal, nobody is asked."""

    def __init__(self, why_not: Callable[[], str | None]) -> None:
        self._why_not = why_not
        self.is_open = False

    def hear(self, number: signal.Signals) -> bool:
        """Whether this signal means: stop. A Ctrl-C only opens the question, a second one answers it with yes."""
        if number is not signal.SIGINT or self.is_open or not sys.stdin.isatty():
            return True
        reason = self._why_not()
        if reason is None:
            return True
        self.is_open = True
        sys.stdout.write(f"\n{reason} Stop? [y/N] ")
        sys.stdout.flush()
        return False

    def answer(self) -> bool:
        """Whether the line that was typed means: stop. The question is closed."""
        self.is_open = False
        typed = os.read(STDIN, 1024).decode(errors="replace").strip().lower()
        return typed in ("y", "yes")
