"""`manage.py upgrade VERB`."""

from portal.cli.upgrade import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Shows, watches, commits, cancels, retries, rolls back and recovers one upgrade."
    verbs = VERBS
