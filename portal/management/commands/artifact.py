"""`manage.py artifact VERB`."""

from portal.cli.artifact import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Uploads, lists, shows, checks and deletes artifacts; reads, validates, writes, signs and installs files."
    verbs = VERBS
