"""`manage.py upgrades`."""

from portal.cli.upgrades import VERB
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists upgrades, newest first."
    verb = VERB
