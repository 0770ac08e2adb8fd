"""`manage.py stuck`."""

from portal.cli.upgrades import STUCK
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists upgrades that do not move, and why."
    verb = STUCK
