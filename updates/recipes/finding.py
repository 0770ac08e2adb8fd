"""One line of a check's report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was looked at, whether it is `ok`, and what it `says`: a sentence for the operator."""

    what: str
    ok: bool
    says: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


BUG: Final = Finding(
    "check", ok=False, says="The portal failed while it looked: the log of its workers says where."
)
