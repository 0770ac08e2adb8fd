"""`manage.py artifact VERB`: a file for each verb."""

from collections.abc import Mapping
from typing import Final

from portal.cli.artifact import check, delete, listing, show, upload
from portal.cli.verb import Verb

VERBS: Final[Mapping[str, Verb]] = {
    "upload": upload.VERB,
    "list": listing.VERB,
    "show": show.VERB,
    "check": check.VERB,
    "delete": delete.VERB,
}
