"""`manage.py apply`."""

from portal.cli.apply import VERB
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Applies an artifact to one device, now."
    verb = VERB
