"""`manage.py release VERB`."""

from portal.cli.release import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists releases, shows, tags and withdraws them."
    verbs = VERBS
