"""One line of a check's report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was looked at, whether it is `ok`, and what it `says`: a sentence for the operator."""

    what: str
    ok: bool
    says: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
