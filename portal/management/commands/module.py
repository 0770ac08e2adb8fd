"""`manage.py module VERB`."""

from portal.cli.module import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists and adds modules."
    verbs = VERBS
