"""`manage.py signing_key VERB`."""

from portal.cli.keys import SIGNING
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists the keys that the portal signs with, makes, imports and deletes them."
    verbs = SIGNING
