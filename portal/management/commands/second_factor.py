"""`manage.py second_factor`: for somebody who has lost phone and recovery codes, when no administrator can log in to help."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.core.actors import Actor
from portal.second_factor.models import Authenticator
from portal.second_factor.services import remove

ACTOR = Actor("command line")


class Command(BaseCommand):
    help = "Shows who has a second factor, and removes it for who has lost it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="who has one")
        take_off = verbs.add_parser("remove", help="the password alone is enough again")
        take_off.add_argument("user")

    def handle(self, *_args: object, **options: Any) -> None:  # noqa: ANN401 - as argparse has it
        if options["verb"] == "remove":
            self._remove(options["user"])
        else:
            self._list()

    def _list(self) -> None:
        for authenticator in Authenticator.objects.filter(confirmed=True).select_related("user"):
            used = authenticator.last_used_at
            self.stdout.write(
                f"{authenticator.user}\t{f'last used {used:%Y-%m-%d}' if used else 'never used'}"
            )

    def _remove(self, username: str) -> None:
        found = Authenticator.objects.filter(user__username=username).first()
        if found is None:
            raise CommandError(f"{username!r} has no second factor.")
        remove(authenticator=found, actor=ACTOR)
        self.stdout.write(f"{username} logs in with the password alone.")
