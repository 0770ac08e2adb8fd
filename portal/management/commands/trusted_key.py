"""`manage.py trusted_key VERB`."""

from portal.cli.keys import TRUSTED
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists the keys whose signature counts, adds and removes them."
    verbs = TRUSTED
