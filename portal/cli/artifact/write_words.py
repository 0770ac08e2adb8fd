"""The words of `artifact write`, and what artifact they ask for: those of mender-artifact, with its defaults."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from portal.cli.artifact.files import content_of
from portal.cli.artifact.keys import signing_key_argument
from updates.formats.mender_artifact import (
    CHECKSUM_KEY,
    LEGACY_CHECKSUM_KEY,
    ROOTFS_IMAGE,
    ArtifactSpec,
    Limits,
    Packing,
    Software,
    StateScript,
    file_at,
    with_software_version,
)

Words = Mapping[str, Any]
LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of artifact that can be written."""

    help: str
    arguments: Callable[[ArgumentParser], None]
    spec: Callable[[Words], ArtifactSpec]


def kind_arguments(kind: Kind, parser: ArgumentParser) -> None:
    """The words that all kinds have, and those of this one."""
    _texts(parser, "-t", "--device-type", help="for devices of this type", required=True)
    parser.add_argument("-n", "--artifact-name", required=True, help="its name")
    parser.add_argument(
        "-o",
        "--output-path",
        type=Path,
        default=Path("artifact.mender"),
        metavar="FILE",
        help="where to write it (artifact.mender)",
    )
    _texts(parser, "-N", "--artifact-name-depends", help="only over an artifact of this name")
    _texts(parser, "-G", "--depends-groups", help="only over an artifact of this group")
    parser.add_argument("-g", "--provides-group", default="", help="the group that it is of")
    _pairs(parser, "-d", "--depends", help="only where this is provided")
    _pairs(parser, "-p", "--provides", help="what is there afterwards")
    _texts(parser, "--clears-provides", help="a glob of provides that are gone afterwards")
    parser.add_argument(
        "--compression", choices=[*map(str, Packing)], default=str(Packing.GZIP), help="(gzip)"
    )
    parser.add_argument(
        "-v", "--version", dest="format", type=int, choices=[3], help="the format's version"
    )
    parser.add_argument("--no-progress", action="store_true", help="as it is anyway")
    parser.add_argument(
        "--json", action="store_true", dest="as_json", default=argparse.SUPPRESS, help="as JSON"
    )
    signing_key_argument(parser, required=False)
    kind.arguments(parser)


def _software_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--software-name", default="", help="instead of the payload type")
    parser.add_argument("--software-version", default="", help="instead of the artifact's name")
    parser.add_argument("--software-filesystem", default="", help=f"instead of {ROOTFS_IMAGE}")
    parser.add_argument("--no-default-software-version", action="store_true")
    parser.add_argument("--no-default-clears-provides", action="store_true")
    parser.add_argument(
        *("-s", "--script"),
        dest="scripts",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a state script, or a folder of them; may be repeated",
    )


def _module_image_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("-T", "--type", required=True, dest="payload_type", help="the payload type")
    parser.add_argument(
        *("-f", "--file"),
        dest="payload",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a file of the payload; may be repeated",
    )
    parser.add_argument("-m", "--meta-data", type=Path, metavar="FILE", help="a JSON object")
    _software_arguments(parser)


def _rootfs_image_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-f", "--file", dest="payload", type=Path, required=True, metavar="FILE", help="the image"
    )
    parser.add_argument("--no-checksum-provide", action="store_true")
    parser.add_argument("--legacy-rootfs-image-checksum", action="store_true")
    _software_arguments(parser)


def _no_arguments(_parser: ArgumentParser) -> None:
    """A bootstrap artifact has only what all have."""


def _module_image(words: Words) -> ArtifactSpec:
    meta_data = ""
    if words["meta_data"] is not None:
        content = content_of(words["meta_data"], limit_bytes=LIMITS.json_bytes)
        meta_data = content.decode(errors="surrogateescape")
    spec = replace(
        _spec(words, payload_type=words["payload_type"]),
        files=tuple(file_at(path) for path in words["payload"]),
        scripts=tuple(_scripts(words["scripts"])),
        meta_data=meta_data,
    )
    return _with_defaults(spec, words, name=words["payload_type"])


def _rootfs_image(words: Words) -> ArtifactSpec:
    key = LEGACY_CHECKSUM_KEY if words["legacy_rootfs_image_checksum"] else CHECKSUM_KEY
    spec = replace(
        _spec(words, payload_type=ROOTFS_IMAGE),
        files=(file_at(words["payload"]),),
        scripts=tuple(_scripts(words["scripts"])),
        checksum_key="" if words["no_checksum_provide"] else key,
    )
    return _with_defaults(spec, words, name="")


def _bootstrap_artifact(words: Words) -> ArtifactSpec:
    return _spec(words, payload_type=None)


def _spec(words: Words, *, payload_type: str | None) -> ArtifactSpec:
    return ArtifactSpec(
        name=words["artifact_name"],
        device_types=tuple(words["device_type"]),
        payload_type=payload_type,
        group=words["provides_group"],
        depends_names=tuple(words["artifact_name_depends"]),
        depends_groups=tuple(words["depends_groups"]),
        depends={key: (value,) for key, value in words["depends"]},
        provides=dict(words["provides"]),
        clears_provides=tuple(words["clears_provides"]) or None,
        packing=Packing(words["compression"]),
    )


def _with_defaults(spec: ArtifactSpec, words: Words, *, name: str) -> ArtifactSpec:
    no_default = words["no_default_software_version"]
    if no_default and not words["software_version"]:
        return spec
    software = Software(
        name=words["software_name"] or ("" if no_default else name),
        filesystem=words["software_filesystem"] or ROOTFS_IMAGE,
        version=words["software_version"],
    )
    clears_older = not no_default and not words["no_default_clears_provides"]
    flags = ("software_name", "software_version", "software_filesystem")
    is_explicit = any(words[flag] for flag in flags)
    return with_software_version(spec, software, clears_older=clears_older, overrides=is_explicit)


def _scripts(paths: Sequence[Path]) -> Iterator[StateScript]:
    for path in paths:
        for script in sorted(path.iterdir()) if path.is_dir() else [path]:
            yield StateScript(script.name, content_of(script, limit_bytes=LIMITS.script_bytes))


def _texts(parser: ArgumentParser, *flags: str, help: str, required: bool = False) -> None:  # noqa: A002
    parser.add_argument(
        *flags,
        action="append",
        default=None if required else [],
        required=required,
        metavar="WORD",
        help=f"{help}; may be repeated",
    )


def _pairs(parser: ArgumentParser, *flags: str, help: str) -> None:  # noqa: A002
    parser.add_argument(
        *flags,
        action="append",
        default=[],
        type=_pair,
        metavar="KEY:VALUE",
        help=f"{help}; may be repeated",
    )


def _pair(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} has no colon between a key and a value")
    return key, value


KINDS: Final[Mapping[str, Kind]] = {
    "module-image": Kind(
        "files for an Update Module", arguments=_module_image_arguments, spec=_module_image
    ),
    "rootfs-image": Kind(
        "the image of a root file system", arguments=_rootfs_image_arguments, spec=_rootfs_image
    ),
    "bootstrap-artifact": Kind(
        "a device's first name and provides", arguments=_no_arguments, spec=_bootstrap_artifact
    ),
}
