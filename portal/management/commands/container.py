"""`manage.py container VERB`."""

from portal.cli.container import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Containers that the portal looks after: watched, checked, upgraded."
    verbs = VERBS
