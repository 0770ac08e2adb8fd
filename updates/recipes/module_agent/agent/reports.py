"""What a script tells whoever started it: a line of words on the descriptor that AGENT_COMFD names, else on stderr.

A word with a blank or a quote stands in double quotes, a quote in it is doubled: as comma-separated files have it, with a
blank for the comma.
"""

import csv
import os
import sys

SD_EMERG = "<0>"
SD_ALERT = "<1>"
SD_CRIT = "<2>"
SD_ERR = "<3>"
SD_WARNING = "<4>"
SD_NOTICE = "<5>"
SD_INFO = "<6>"
SD_DEBUG = "<7>"


def set_progress(value: int) -> None:
    """Whoever started the script knows how far it is, 0 to 100."""
    _report("set-progress", value)


def set_status(value: str) -> None:
    """Whoever started the script knows its status: a word such as `validation-failed`."""
    _report("set-status", value)


def set_weight(step_name: str, weight: int) -> None:
    """Whoever started the script knows what part of the whole that step is."""
    _report("set-weight", step_name, weight)


def dump_env() -> None:
    """Nothing: the environment file is on the disk after every change."""


def _report(*words: object) -> None:
    sys.stderr.flush()
    descriptor = int(os.environ.get("AGENT_COMFD") or 2)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="", closefd=False) as file:
        csv.writer(file, delimiter=" ", lineterminator="\n").writerow(words)
