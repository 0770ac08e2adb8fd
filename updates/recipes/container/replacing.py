"""How a set of containers is replaced: by Compose from its files, or as clones by the engine's API. What both promise.

Every method may be called again after a worker died in it, and then ends what was begun.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from updates.recipes.container.before import Before
from updates.recipes.finding import Finding
from updates.runner import Context


class Replacing(Protocol):
    """One way of replacing the containers of one plan."""

    def findings(self) -> Iterator[Finding]:
        """What a check finds out about this way, without any effect."""
        ...

    def create(self, context: Context, before: Before, *, image_id: str) -> None:
        """There are new containers under the names of the old, made from that image, not started. None of the old runs.

        All that the old ones are is there still, and `put_back` finds it.
        """
        ...

    def start(self, context: Context, before: Before, names: list[str]) -> None:
        """These containers of the set run."""
        ...

    def put_back(self, context: Context, before: Before) -> None:
        """Containers as before are there under their names, made from the image of before, not started; the new ones are gone."""
        ...

    def forget(self, context: Context, upgrade: str) -> None:
        """Nothing is left of the old containers that `upgrade` replaced."""
        ...
