"""`manage.py node VERB`."""

from portal.cli.node import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists nodes, adds them, asks how they are, restarts them."
    verbs = VERBS
