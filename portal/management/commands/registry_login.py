"""`manage.py registry_login VERB`."""

from portal.cli.registry_login import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists logins to registries, adds, changes and deletes them: secrets come from files."
    verbs = VERBS
