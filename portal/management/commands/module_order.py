"""`manage.py module_order VERB`."""

from portal.cli.module_order import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Lists, shows and cancels orders that instances get a module image."
    verbs = VERBS
