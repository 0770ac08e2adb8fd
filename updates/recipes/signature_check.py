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
    """`recipe`; CHECKING fails where `group` names a group that takes signed artifacts only, unless a trusted key signed it.

    Both are asked for in that state alone: what cannot be answered later must not keep a device from going back.
    The signature covers the header and the digests of the files; that the stored files are those, the download sees to.
    """

    def __init__(
        self,
        recipe: ArtifactRecipe,
        *,
        group: Callable[[], str | None],
        trusted: Callable[[], Sequence[PublicKey]],
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
            for finding in self._findings():
                if not finding.ok:
                    raise NotCompatible(finding.says)
            return check(context)

        return verified

    def inspect(self) -> Iterator[Finding]:
        """What a check finds: the signature first."""
        yield from self._findings()
        yield from self._recipe.inspect()

    def _findings(self) -> Iterator[Finding]:
        group = self._group()
        if group is None:
            return
        says = f"The group {group} takes signed artifacts only."
        try:
            with self._open_artifact() as stored:
                verify_signature(open_payload(stored).head, self._trusted())
        except ArtifactRefused as error:
            yield Finding("signature", ok=False, says=f"{says} {error}")
        else:
            yield Finding("signature", ok=True, says=f"{says} A trusted key signed this one.")
