"""`manage.py deploy`."""

from portal.cli.deploy import VERB
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Deploys an artifact to many devices, or says what that would do."
    verb = VERB
