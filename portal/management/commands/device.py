"""`manage.py device VERB`."""

from portal.cli.device import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists, shows, adds, refreshes, trusts and deletes devices; decides who is let in."
    verbs = VERBS
