"""`manage.py group VERB`."""

from portal.cli.group import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists device groups, makes, edits and deletes them, and says who is in them."
    verbs = VERBS
