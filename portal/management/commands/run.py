"""`manage.py run VERB`."""

from portal.cli.run import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = "Updates instances of modules, in the words of NethServer's api-cli."
    verbs = VERBS
