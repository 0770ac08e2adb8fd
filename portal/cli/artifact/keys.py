"""`-k`: keys from files in PEM form."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from portal.cli.artifact.files import KEY_LIMIT_BYTES, content_of, told
from updates.formats.mender_artifact import (
    PublicKey,
    SigningKey,
    read_public_key,
    read_signing_key,
)


def public_keys_argument(parser: ArgumentParser) -> None:
    """-k: any number of public keys."""
    parser.add_argument(
        "-k",
        "--key",
        dest="keys",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a public key that may have signed it; may be repeated",
    )


def signing_key_argument(parser: ArgumentParser, *, required: bool) -> None:
    """-k: one private key."""
    parser.add_argument(
        "-k",
        "--key",
        type=Path,
        required=required,
        metavar="FILE",
        help="the private key to sign with: RSA, or ECDSA on P-256",
    )


def public_keys(paths: Sequence[Path]) -> tuple[PublicKey, ...]:
    """The keys in these files. Raises CommandError or KeyRefused."""
    return tuple(read_public_key(_content(path)) for path in paths)


def signing_key(path: Path) -> SigningKey:
    """The key in this file. Raises CommandError or KeyRefused."""
    return read_signing_key(_content(path))


def _content(path: Path) -> bytes:
    with told(f"The key {path}"):
        return content_of(path, limit_bytes=KEY_LIMIT_BYTES)
