"""What the commands have in common: who acts, how an answer is printed, what a refusal looks like."""

from __future__ import annotations

import os
import pwd
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.contrib.auth.models import User
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.management.base import BaseCommand, CommandError

from portal.cli.output import Output
from portal.core.actors import Actor, actor_of
from portal.core.errors import FleetwrightError

INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a verb: its words, who asks, and where the answer goes."""

    words: Mapping[str, Any]
    actor: Actor
    out: Output


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that a command does."""

    help: str
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[Call], None]


class VerbCommand(BaseCommand):
    """A command of one verb, or one that has several: `manage.py NOUN VERB ...`."""

    verb: ClassVar[Verb]
    verbs: ClassVar[Mapping[str, Verb]] = {}

    def add_arguments(self, parser: ArgumentParser) -> None:
        if not self.verbs:
            _arguments(self.verb, parser)
            return
        names = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        for name, verb in self.verbs.items():
            _arguments(verb, names.add_parser(name, help=verb.help, description=verb.help))

    def handle(self, *_args: object, **options: Any) -> None:  # noqa: ANN401 - as argparse has it
        verb = self.verbs[options["verb"]] if self.verbs else self.verb
        out = Output(self.stdout, as_json=options["as_json"])
        try:
            verb.run(Call(options, actor=_actor(options["as_user"]), out=out))
        except FleetwrightError as error:
            raise CommandError(f"{error} [{error.code}]") from None
        except ValidationError as error:
            raise CommandError(_by_field(error)) from None
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped watching. What runs goes on.", returncode=INTERRUPTED
            ) from None


def _arguments(verb: Verb, parser: ArgumentParser) -> None:
    verb.arguments(parser)
    parser.add_argument(
        "--json", action="store_true", dest="as_json", help="answer as the API does"
    )
    parser.add_argument(
        "--as",
        dest="as_user",
        metavar="USER",
        help="act as this user of the portal, with that user's permissions",
    )


def _by_field(error: ValidationError) -> str:
    said = (
        error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
    )
    return " ".join(
        sentence if field == NON_FIELD_ERRORS else f"{field}: {sentence}"
        for field, sentences in said.items()
        for sentence in sentences
    )


def _actor(username: str | None) -> Actor:
    if username is None:
        return Actor(f"cli:{_shell_user()}")
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active user {username!r}.")
    return actor_of(user)


def _shell_user() -> str:
    """Asked of the kernel: environment variables can say anything."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid-{os.geteuid()}"
