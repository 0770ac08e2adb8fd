"""`manage.py patch VERB`."""

from portal.cli.patch import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Uploads, checks, applies, reverts and deletes hot patches."
    verbs = VERBS
