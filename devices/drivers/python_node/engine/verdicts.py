"""What may become of a file: the codes, and the way to say one early."""

from __future__ import annotations

from typing import NoReturn

ERROR, NOT_PYTHON, WRONG_PATH, NOT_UPDATED, NOT_CHANGED, OK, NOT_LOADED = range(1, 8)


class Verdict(Exception):
    """The file's status is known, and nothing more is to be done about it. `reason` is a slug."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.reason, self.detail = status, reason, detail


def shape(detail: str) -> NoReturn:
    """Only a restart can bring the change in."""
    raise Verdict(NOT_UPDATED, "shape", detail)
