"""`manage.py credential VERB`."""

from portal.cli.credential import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists credentials, adds and changes them: secrets come from files."
    verbs = VERBS
