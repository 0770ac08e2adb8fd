"""`manage.py image VERB`."""

from portal.cli.image import VERBS
from portal.cli.verb import VerbCommand


class Command(VerbCommand):
    help = (
        "Lists the images that engines of devices have, and removes them where nothing needs them."
    )
    verbs = VERBS
