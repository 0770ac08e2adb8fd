"""`manage.py group VERB`."""

from portal.cli.group import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists device groups."
    verbs = VERBS
