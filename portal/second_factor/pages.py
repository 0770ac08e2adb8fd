"""Pages about one's own second factor. They are open to whoever has given a password, so each asks for a code itself."""

from __future__ import annotations

from typing import Any, Final

import django_otp
import segno
from django.contrib import admin, messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.core.actors import actor_of
from portal.core.errors import Refused
from portal.second_factor.errors import TooManyCodes
from portal.second_factor.forms import CodeForm
from portal.second_factor.models import Authenticator
from portal.second_factor.services import (
    address_of,
    authenticator_of,
    begin,
    confirm,
    is_required_for,
    remove,
    renew_recovery_codes,
    secret_of,
    verify,
)

HOME: Final = "second_factor:home"


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """Login's second step: the session counts once the code is right."""
    user = _user(request)
    if _is_verified(request) or authenticator_of(user) is None:
        return redirect(_next(request))
    form, refusal = CodeForm(request.POST or None), None
    if form.is_valid():
        try:
            authenticator = verify(user=user, code=form.cleaned_data["code"])
        except Refused as error:
            refusal = error
        else:
            request.session.cycle_key()
            django_otp.login(request, authenticator)
            return redirect(_next(request))
    return _page(
        request, "ask", title="Second factor", form=form, refusal=refusal, next=_next(request)
    )


@never_cache
@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Whether there is one, and what can be done about it."""
    user = _user(request)
    return _page(
        request,
        "home",
        title="Second factor",
        authenticator=authenticator_of(user),
        is_required=is_required_for(user),
    )


@never_cache
@login_required
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """A fresh key waits on the next page."""
    try:
        begin(user=_user(request))
    except Refused as error:
        messages.error(request, str(error))
        return redirect(HOME)
    return redirect("second_factor:enrol")


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def enrol(request: HttpRequest) -> HttpResponse:
    """The key as a QR code; a first right code confirms it, and the answer is the only page that shows the recovery codes."""
    user = _user(request)
    waiting = Authenticator.objects.filter(user=user, confirmed=False).first()
    if waiting is None:
        return redirect(HOME)
    form, refusal = CodeForm(request.POST or None), None
    form.fields["code"].help_text = "The six digits that the app shows now."
    if form.is_valid():
        try:
            codes = confirm(user=user, code=form.cleaned_data["code"], actor=actor_of(user))
        except Refused as error:
            refusal = error
        else:
            waiting.refresh_from_db()
            request.session.cycle_key()
            django_otp.login(request, waiting)
            return _codes_page(request, codes)
    return _page(
        request,
        "enrol",
        title="Set up a second factor",
        form=form,
        refusal=refusal,
        picture=_picture(address_of(waiting)),
        secret=secret_of(waiting),
    )


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes for a right code; the answer is the only page that shows them."""
    user = _user(request)
    if authenticator_of(user) is None:
        return redirect(HOME)
    form, refusal = CodeForm(request.POST or None), None
    if form.is_valid():
        try:
            codes = renew_recovery_codes(
                user=user, code=form.cleaned_data["code"], actor=actor_of(user)
            )
        except Refused as error:
            refusal = error
        else:
            return _codes_page(request, codes)
    return _page(
        request,
        "verb",
        title="New recovery codes",
        form=form,
        refusal=refusal,
        says=["Ten new recovery codes are shown once. The old ones are worth nothing afterwards."],
        button="Make new codes",
    )


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def take_off(request: HttpRequest) -> HttpResponse:
    """The second factor is gone, for a right code."""
    user = _user(request)
    if authenticator_of(user) is None:
        return redirect(HOME)
    form, refusal = CodeForm(request.POST or None), None
    if form.is_valid():
        try:
            authenticator = verify(user=user, code=form.cleaned_data["code"])
        except Refused as error:
            refusal = error
        else:
            remove(authenticator=authenticator, actor=actor_of(user))
            messages.success(request, "The second factor is removed.")
            return redirect(HOME)
    return _page(
        request,
        "verb",
        title="Remove the second factor",
        form=form,
        refusal=refusal,
        says=["Whoever knows your password can log in as you afterwards."],
        button="Remove",
        is_danger=True,
    )


def _user(request: HttpRequest) -> User:
    """Whoever gave a password; NotPermitted, which the gate lets nobody meet, for anybody else."""
    user = actor_of(request.user).user
    if user is None:
        raise TypeError("actor_of names a user.")
    return user


def _is_verified(request: HttpRequest) -> bool:
    return bool(request.user.is_verified())  # type: ignore[union-attr] # set by django-otp's middleware


def _next(request: HttpRequest) -> str:
    """Where the login was meant to lead, if that is a page of ours."""
    wanted = request.POST.get("next") or request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else reverse("admin:index")


def _codes_page(request: HttpRequest, codes: list[str]) -> HttpResponse:
    return _page(request, "codes", title="Recovery codes", codes=codes)


def _page(request: HttpRequest, name: str, **context: Any) -> HttpResponse:  # noqa: ANN401 - for the template
    refusal: Refused | None = context.get("refusal")
    status = 200
    if refusal is not None:
        status = 429 if isinstance(refusal, TooManyCodes) else 422
    return TemplateResponse(
        request,
        f"second_factor/{name}.html",
        admin.site.each_context(request) | {"site_url": None} | context,
        status=status,
    )


def _picture(text: str) -> SafeString:
    """A QR code as SVG, dark on light in both themes: scanners want it so."""
    code = segno.make(text, error="m", micro=False)
    return SafeString(code.svg_inline(scale=5, border=4, light="white", title="QR code"))
