"""`manage.py deployment VERB`."""

from portal.cli.deployment import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists, shows, watches and cancels deployments."
    verbs = VERBS
