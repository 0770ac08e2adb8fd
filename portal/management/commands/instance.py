"""`manage.py instance VERB`."""

from portal.cli.instance import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists and adds instances, records installations."
    verbs = VERBS
