"""A part of a page that asks for news by itself until there will be none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseClientRefresh

from portal.core.pages import fragment, require

Named = ParamSpec("Named")


@dataclass(frozen=True, slots=True)
class Panel:
    """`mark` names what is shown, so that a poll of `url` (which ends in ? or a parameter) asks for something else only."""

    html: str
    mark: str
    is_waiting: bool
    url: str
    seconds: int


def polled(
    permission: str,
) -> Callable[
    [Callable[Concatenate[HttpRequest, Named], Panel]],
    Callable[Concatenate[HttpRequest, Named], HttpResponse],
]:
    """What a waiting panel polls: the panel if it shows something new, or nothing; 286 once there will be nothing new.

    403 without `permission`; whoever is not logged in any more gets the whole page anew, which asks them to.
    """

    def answering(
        view: Callable[Concatenate[HttpRequest, Named], Panel],
    ) -> Callable[Concatenate[HttpRequest, Named], HttpResponse]:
        @require_GET
        @wraps(view)
        def answer(
            request: HttpRequest, /, *args: Named.args, **named: Named.kwargs
        ) -> HttpResponse:
            if not admin.site.has_permission(request):
                return HttpResponseClientRefresh()
            require(request, permission)
            panel = view(request, *args, **named)
            html = render_to_string("components/live.html", {"panel": panel})
            is_new = panel.mark != request.GET.get("mark")
            return fragment(html, is_new=is_new, is_end=not panel.is_waiting)

        return answer

    return answering
