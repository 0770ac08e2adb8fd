"""`manage.py engine VERB`."""

from portal.cli.engine import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Says how the Docker Engines of devices are reached, and asks them what they have."
    verbs = VERBS
