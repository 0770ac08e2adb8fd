"""The header of an artifact: a tar of header-info, state scripts, type-info and meta-data, in this order."""

from __future__ import annotations

from dataclasses import dataclass

from portal.core.quoting import quoted
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact.description import StateScript
from updates.formats.mender_artifact.header_info import HeaderInfo, parse_header_info
from updates.formats.mender_artifact.json_member import decode_json_text, parse_json_object
from updates.formats.mender_artifact.limits import Limits
from updates.formats.mender_artifact.names import check_script_name, never_runs
from updates.formats.mender_artifact.type_info import TypeInfo, parse_type_info
from updates.formats.tar import TarArchive, TarMember

HEADER_INFO = "header-info"
SCRIPTS = "scripts/"
TYPE_INFO = "headers/0000/type-info"
META_DATA = "headers/0000/meta-data"


@dataclass(frozen=True, slots=True)
class Header:
    """All of a header. `meta_data` is its text, "" where the member is missing or empty."""

    info: HeaderInfo
    scripts: tuple[StateScript, ...]
    type_info: TypeInfo
    meta_data: str

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know although it is no reason to refuse the artifact."""
        warnings = list(self.type_info.warnings)
        if self.info.payload_type is None:
            warnings.append(
                "This is a bootstrap artifact: it installs nothing, and clients before 4.0 refuse it."
            )
        warnings += [
            f"The state script {script.name} never runs: its state has no Error scripts."
            for script in self.scripts
            if never_runs(script.name)
        ]
        return tuple(warnings)


def read_header(tar: TarArchive, *, limits: Limits) -> Header:
    """Read the header's tar to its end. Raises ArtifactRefused for any member too many, too few or out of order."""
    member = _expect(tar.next_member(), HEADER_INFO)
    info = parse_header_info(member.read_all(limit=limits.json_bytes), limits=limits)
    scripts: dict[str, StateScript] = {}
    following = tar.next_member()
    while following is not None and following.name.startswith(SCRIPTS):
        script = _read_script(following, known=scripts, limits=limits)
        scripts[script.name] = script
        following = tar.next_member()
    member = _expect(following, TYPE_INFO)
    content = member.read_all(limit=limits.json_bytes)
    type_info = parse_type_info(content, header_info=info, limits=limits)
    meta_data = ""
    following = tar.next_member()
    if following is not None:
        meta_data = _read_meta_data(_expect(following, META_DATA), limits=limits)
        following = tar.next_member()
    if following is not None:
        raise ArtifactRefused(
            "header-member",
            f"The header has a member {quoted(following.name)} behind its last one.",
        )
    return Header(
        info=info, scripts=tuple(scripts.values()), type_info=type_info, meta_data=meta_data
    )


def _expect(member: TarMember | None, name: str) -> TarMember:
    if member is None:
        raise ArtifactRefused("header-member", f"The header has no {name}.")
    if member.name != name:
        raise ArtifactRefused(
            "header-member",
            f"The header has {quoted(member.name)} where {name} was expected.",
        )
    return member


def _read_script(
    member: TarMember, *, known: dict[str, StateScript], limits: Limits
) -> StateScript:
    name = check_script_name(member.name.removeprefix(SCRIPTS))
    if name in known:
        raise ArtifactRefused("script-twice", f"The state script {name} comes twice.")
    if len(known) >= limits.scripts:
        raise ArtifactRefused(
            "too-many-scripts", f"The header has more than the {limits.scripts} scripts allowed."
        )
    total = sum(len(script.content) for script in known.values())
    left = min(limits.script_bytes, limits.scripts_total_bytes - total)
    return StateScript(name=name, content=member.read_all(limit=left))


def _read_meta_data(member: TarMember, *, limits: Limits) -> str:
    text = decode_json_text(member.read_all(limit=limits.json_bytes), where="meta-data")
    if text:
        parse_json_object(text, where="meta-data", limits=limits)
    return text
