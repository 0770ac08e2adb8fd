"""`manage.py update_module VERB`."""

from portal.cli.update_module import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists Update Modules, uploads them and checks them on devices."
    verbs = VERBS
