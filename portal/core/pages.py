"""What every page of our own is made of: the admin's frame, a form for each verb, fragments that poll.

Rules do not belong here: a page asks a service, and shows what it answers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.generic import FormView
from django_htmx.http import HTMX_STOP_POLLING

from portal.core.actors import Actor, actor_of
from portal.core.errors import NotPermitted, Refused
from portal.core.forms import ReasonForm

if TYPE_CHECKING:
    FormPage = FormView[forms.Form]
else:
    FormPage = FormView

REFUSED_STATUS = 422


def page(
    request: HttpRequest, template: str, *, title: str, model: type[Model], context: dict[str, Any]
) -> TemplateResponse:
    """A page inside the admin's frame, under the list of `model`."""
    return TemplateResponse(request, template, framed(request, title=title, model=model) | context)


def framed(request: HttpRequest, *, title: str, model: type[Model]) -> dict[str, Any]:
    """What the admin's frame needs: navigation, theme, who is logged in, the way back to the list of `model`."""
    return {
        **admin.site.each_context(request),
        "title": title,
        "model_admin": admin.site.get_model_admin(model),
    }


def require(request: HttpRequest, permission: str) -> Actor:
    """The actor behind the request. 403 when they lack `permission`."""
    try:
        actor = actor_of(request.user)
        actor.require(permission)
    except NotPermitted as error:
        raise PermissionDenied(str(error)) from error
    return actor


class VerbPage(FormPage):
    """A page for one verb: GET asks and says what will happen, POST has a service do it.

    A refusal shows the form again with the service's sentence, a ValidationError at its fields. Without `permission` it is a
    403 for both.
    """

    template_name = "components/verb.html"
    form_class: type[forms.Form] = ReasonForm
    model: type[Model]
    permission: str
    button: str
    is_danger = False
    refusal: Refused | None = None

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - as Django has it
        self.actor = require(request, self.permission)
        self.find()
        return super().dispatch(request, *args, **kwargs)

    def find(self) -> None:
        """What the address names (`self.kwargs`) is loaded, or 404."""

    def says(self) -> list[str]:
        """Sentences about what will happen, before it happens."""
        return []

    def title(self) -> str:
        raise NotImplementedError

    def back(self) -> str:
        """Where somebody goes who does not want it after all."""
        raise NotImplementedError

    def act(self, form: forms.Form) -> str:
        """The verb is done. Where to go now."""
        raise NotImplementedError

    def form_valid(self, form: forms.Form) -> HttpResponse:
        try:
            return redirect(self.act(form))
        except NotPermitted as error:
            raise PermissionDenied(str(error)) from error
        except Refused as error:
            self.refusal = error
            return self.form_invalid(form)
        except ValidationError as error:
            _add_errors(form, error)
            return self.form_invalid(form)

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=REFUSED_STATUS)

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        shown = framed(self.request, title=self.title(), model=self.model) | {
            "says": self.says(),
            "button": self.button,
            "back": self.back(),
            "is_danger": self.is_danger,
            "refusal": self.refusal,
        }
        return super().get_context_data(**(shown | kwargs))


def _add_errors(form: forms.Form, error: ValidationError) -> None:
    """What a service says of fields is shown at those that the form has, and above the form for the others."""
    for field, sentences in error.message_dict.items():
        form.add_error(field if field in form.fields else None, sentences)


@dataclass(frozen=True, slots=True)
class Button:
    """A link to a verb's page; with `posts` it does the verb itself. With `why_not` it cannot be pressed, and says so."""

    label: str
    url: str
    why_not: str = ""
    is_danger: bool = False
    is_main: bool = False
    posts: bool = False


def why_not_permitted(request: HttpRequest, permission: str) -> str:
    """Empty when the user holds `permission`, else the sentence for a button that cannot be pressed."""
    actor = actor_of(request.user)
    return "" if actor.may(permission) else f"You lack the permission {permission}."


def uuid_or_404(text: str) -> UUID:
    """The id that an address names; 404 when it cannot be one."""
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def number_or_404(text: str) -> int:
    """The number that an address names; 404 when it cannot be one."""
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise Http404
    return int(text)


def mark_of(html: str) -> str:
    """A short word for what a fragment shows, so that a poll can ask for something else than that."""
    return hashlib.sha256(html.encode()).hexdigest()[:16]


def fragment(html: str, *, is_new: bool, is_end: bool) -> HttpResponse:
    """The answer to a poll: what is new, or 204 when nothing is; 286 tells htmx that there will be nothing more."""
    if is_end:
        return HttpResponse(html, status=HTMX_STOP_POLLING)
    return HttpResponse(html) if is_new else HttpResponse(status=204)
