"""django-rq's own dashboard, behind a permission: its views ask for no more than a login that may see the admin.

What is done here is done to jobs alone. The truth is in the database: a job that is deleted here is made again by `recover`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django_rq.stats_views import stats_json
from django_rq.urls import get_admin_urlpatterns
from redis.exceptions import ConnectionError as RedisDown
from rq.exceptions import InvalidJobOperation, NoSuchJobError

from portal.core.pages import require

SEE_QUEUE: Final = "django_rq.admin"

INLINE: Final = {"style-src": ["'unsafe-inline'"]}
"""Its pages have style elements. Their inline script stays forbidden: it wants a jQuery plugin that Django has no more."""

View = Callable[..., HttpResponseBase]


def guarded(view: View) -> View:
    """`view` for those who may see the queue. 404 for a job, worker or queue that is gone, a page that says so without Redis."""

    @wraps(view)
    def guard(request: HttpRequest, *args: object, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401
        require(request, SEE_QUEUE)
        if kwargs.get("queue_index", 0) >= len(settings.RQ_QUEUES):
            raise Http404("There is no such queue.")
        try:
            return view(request, *args, **kwargs)
        except RedisDown:
            return _redis_is_down(request)
        except InvalidJobOperation as error:
            messages.error(request, f"This job is not in a state for that: {error}")
            return redirect("django_rq:home")
        except (NoSuchJobError, AssertionError):  # it asserts that a worker is there
            raise Http404("It is not there any more.") from None

    loosened: View = csp_update(INLINE)(admin.site.admin_view(guard))
    return loosened


def _redis_is_down(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(
        request,
        "portal/message.html",
        admin.site.each_context(request)
        | {
            "title": "Queue",
            "says": [
                "Redis does not answer, so there is nothing to see.",
                "Nothing that was ordered is lost: it goes on when Redis is back.",
            ],
        },
        status=503,
    ).render()


app_name = "django_rq"
urlpatterns = [
    path("stats.json", guarded(stats_json), name="home_json"),
    # The one left out needs rq-scheduler, which nobody here uses.
    *(row for row in get_admin_urlpatterns(view_wrapper=guarded) if row.name != "scheduler_jobs"),
]
