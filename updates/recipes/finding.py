"""One line of a check's report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from updates.output import storable


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was looked at, whether it is `ok`, and what it `says`: a sentence for the operator.

    One that `warns` hinders nothing, but somebody has to have read it.
    """

    what: str
    ok: bool
    says: str
    warns: bool = False

    def as_json(self) -> dict[str, Any]:
        said = asdict(self) | {"says": storable(self.says)}
        return said if self.warns else {key: said[key] for key in said if key != "warns"}


BUG: Final = Finding(
    "check", ok=False, says="The portal failed while it looked: the log of its workers says where."
)
