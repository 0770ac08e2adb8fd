"""Devices that take signed artifacts only: the signature is verified anew, from the stored bytes, right before the change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO

from updates.errors import ArtifactRefused, NotCompatible
from updates.formats.mender_artifact import PublicKey, open_payload, verify_signature
from updates.machine import Event, State
from updates.recipes.artifact import ArtifactRecipe
from updates.recipes.finding import Finding
from updates.runner import Context, Step

OpenArtifact = Callable[[], AbstractContextManager[BinaryIO]]


class SignedOnlyRecipe:
    """`recipe`, for a device of a group that takes signed artifacts only: CHECKING fails unless one of `trusted` signed it.

    The signature covers the header and the digests of the files; that the stored files are those, the download sees to.
    """

    def __init__(
        self,
        recipe: ArtifactRecipe,
        *,
        group: str,
        trusted: Sequence[PublicKey],
        open_artifact: OpenArtifact,
    ) -> None:
        self._recipe = recipe
        self._group = group
        self._trusted = trusted
        self._open_artifact = open_artifact

    def step(self, state: State) -> Step | None:
        step = self._recipe.step(state)
        if state is not State.CHECKING or step is None:
            return step
        check = step

        def verified(context: Context) -> Event:
            finding = self._finding()
            if not finding.ok:
                raise NotCompatible(finding.says)
            return check(context)

        return verified

    def inspect(self) -> Iterator[Finding]:
        """What a check finds: the signature first."""
        yield self._finding()
        yield from self._recipe.inspect()

    def _finding(self) -> Finding:
        says = f"The group {self._group} takes signed artifacts only."
        try:
            with self._open_artifact() as stored:
                verify_signature(open_payload(stored).head, self._trusted)
        except ArtifactRefused as error:
            return Finding("signature", ok=False, says=f"{says} {error}")
        return Finding("signature", ok=True, says=f"{says} A trusted key signed this one.")
