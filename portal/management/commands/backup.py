"""`manage.py backup VERB`."""

from portal.cli.backup import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists backups of watched containers, makes one now, puts one back, deletes one."
    verbs = VERBS
