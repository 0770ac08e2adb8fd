"""`manage.py token`: programs' keys to the API."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from portal.core.actors import Actor
from portal.core.models import ApiToken
from portal.core.tokens import create_token, revoke_token

ACTOR = Actor("command line")


class Command(BaseCommand):
    help = "Makes, lists and revokes API tokens. A token may do what its user may do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="a new token, shown this once")
        create.add_argument("user")
        create.add_argument("--name", default="token", help="what it is for")
        create.add_argument("--days", type=int, help="until it expires; without: never")
        verbs.add_parser("list", help="all tokens, without what they open")
        revoke = verbs.add_parser("revoke", help="the token opens nothing any more")
        revoke.add_argument("id", type=int, help="as `token list` shows it")

    def handle(self, *_args: object, **options: Any) -> None:  # noqa: ANN401 - as argparse has it
        if options["verb"] == "create":
            self._create(options["user"], name=options["name"], days=options["days"])
        elif options["verb"] == "revoke":
            self._revoke(options["id"])
        else:
            self._list()

    def _create(self, username: str, *, name: str, days: int | None) -> None:
        user = User.objects.filter(username=username, is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {username!r}.")
        if days is not None and days < 1:
            raise CommandError("A token lives for at least one day.")
        self.stdout.write(create_token(user=user, name=name, days=days, actor=ACTOR))

    def _list(self) -> None:
        for token in ApiToken.objects.select_related("user"):
            state = "revoked" if token.revoked_at else f"expires {token.expires_at or 'never'}"
            used = (
                f"last used {token.last_used_at:%Y-%m-%d}" if token.last_used_at else "never used"
            )
            self.stdout.write(f"{token.pk}\t{token.user}\t{token.name}\t{state}\t{used}")

    def _revoke(self, token_id: int) -> None:
        token = ApiToken.objects.filter(pk=token_id, revoked_at=None).first()
        if token is None:
            raise CommandError(f"There is no live token {token_id}; see `manage.py token list`.")
        revoke_token(token=token, actor=ACTOR)
        self.stdout.write(f"{token} opens nothing any more.")
