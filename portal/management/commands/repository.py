"""`manage.py repository VERB`."""

from portal.cli.repository import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists repositories of modules, adds, changes, fetches and removes them."
    verbs = VERBS
