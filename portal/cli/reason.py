"""Why: every order says it, and the history keeps it."""

from __future__ import annotations

from argparse import ArgumentParser


def reason_argument(parser: ArgumentParser) -> None:
    """--reason, which is required."""
    parser.add_argument("--reason", required=True, metavar="WHY", help="kept in the history")
