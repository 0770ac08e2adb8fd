"""`manage.py artifact VERB`: a file for each verb. Those that work on files alone need no database."""

from collections.abc import Mapping
from typing import Final

from portal.cli.artifact import (
    check,
    delete,
    install,
    listing,
    read,
    show,
    sign,
    upload,
    validate,
    write,
)
from portal.cli.verb import Verb

VERBS: Final[Mapping[str, Verb]] = {
    "upload": upload.VERB,
    "list": listing.VERB,
    "show": show.VERB,
    "check": check.VERB,
    "delete": delete.VERB,
    "read": read.VERB,
    "validate": validate.VERB,
    "write": write.VERB,
    "sign": sign.VERB,
    "install": install.VERB,
}
