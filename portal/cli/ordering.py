"""What can be said about an order, whatever is ordered."""

from __future__ import annotations

from argparse import ArgumentParser


def hold_argument(parser: ArgumentParser) -> None:
    """--hold."""
    parser.add_argument(
        "--hold",
        action="store_true",
        help="wait before the commit, for `manage.py upgrade commit` or `cancel`",
    )


def force_argument(parser: ArgumentParser) -> None:
    """--force."""
    parser.add_argument(
        "--force", action="store_true", help="install even what is installed already"
    )
