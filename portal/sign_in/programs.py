"""Programs that log in with somebody's name and password, and go on with a token."""

from __future__ import annotations

from typing import Final

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from django.utils import timezone

from portal.core.actors import actor_of
from portal.core.errors import Refused
from portal.core.tokens import create_token
from portal.second_factor.services import authenticator_of, is_required_for

TOKEN_DAYS: Final = 1
TOKEN_NAME: Final = "logged in by name and password"  # noqa: S105 - what it is called


class LoginFailed(Refused):
    """Nobody is let in: the sentence says no more than the login page would."""

    code = "SIGN-103"


def log_in_program(*, request: HttpRequest, username: str, password: str) -> str:
    """A token of the user that is good for a day, told this once. Those that the user got so before and expired are gone.

    The password is judged, and its failures counted, as on the login page. LoginFailed where that would not let in, and for
    whoever has or needs a second factor: a program cannot give one.
    """
    form = AdminAuthenticationForm(request, {"username": username, "password": password})
    if not form.is_valid():
        raise LoginFailed("This user name and password let nobody in.")
    user = form.get_user()
    if not isinstance(user, User):
        raise LoginFailed("This user name and password let nobody in.")
    if authenticator_of(user) is not None or is_required_for(user):
        raise LoginFailed(
            "This user logs in with a second factor, which a program cannot give: make a token with "
            "`manage.py token create`."
        )
    user_logged_in.send(sender=User, request=request, user=user)
    user.api_tokens.filter(name=TOKEN_NAME, expires_at__lt=timezone.now()).delete()
    return create_token(user=user, name=TOKEN_NAME, days=TOKEN_DAYS, actor=actor_of(user))
