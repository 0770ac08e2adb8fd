"""`manage.py diagram`: the machine as a picture, printed or written into the architecture page."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from portal.settings.environment import BASE_DIR
from updates.diagram import state_diagram

PAGE: Final = BASE_DIR / "portal" / "docs" / "architecture.md"
BEGIN: Final = "<!-- state-diagram:begin -->\n"
END: Final = "<!-- state-diagram:end -->"


class Command(BaseCommand):
    help = "Prints the machine as a Mermaid state diagram."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--write", action="store_true", help="write it into portal/docs/architecture.md instead"
        )

    def handle(self, *_args: object, **options: Any) -> None:  # noqa: ANN401 - as argparse has it
        if not options["write"]:
            self.stdout.write(state_diagram(), ending="")
            return
        PAGE.write_text(with_diagram(PAGE.read_text()))
        self.stdout.write(f"Written into {PAGE.name}.")


def with_diagram(page: str) -> str:
    """The page with the current diagram between its markers. CommandError when it has not one pair of them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after:
        raise CommandError(f"The page needs one {BEGIN.strip()} and one {END} after it.")
    return f"{before}{begin}\n```mermaid\n{state_diagram()}```\n\n{end}{after}"
