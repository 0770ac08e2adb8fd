"""Answers that are files, whatever the caller says that it accepts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer

if TYPE_CHECKING:
    from rest_framework.request import Request


class AnyAccept(BaseContentNegotiation):
    """A file has one form: `Accept: text/csv` is as good as none. Problems are JSON all the same."""

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type or ""
