"""Whether what nodes answered allows a patch to be applied: one home of the rules, for checks and for upgrades. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from devices.drivers.nodes import NodeReport


def version_in_force(reports: Iterable[NodeReport], *, recorded: str) -> tuple[str, str]:
    """The version that the system runs, and who says so. What nodes report counts more than the portal's record.

    Several versions at once are joined by " and ": no patch is for that.
    """
    said = sorted({report.version for report in reports if report.is_reachable and report.version})
    if not said:
        return recorded, "by the portal's record, for no node can tell"
    return " and ".join(said), "by what its nodes report"


def why_not_version(*, wanted: str, found: str, says: str) -> str:
    """Empty when the patch is for the version that is there, else the sentence why it is not."""
    if wanted == found:
        return ""
    return (
        f"The patch is for version {wanted}; installed is {found or 'none that is known'}, {says}."
    )


def why_not_a_part(report: NodeReport, *, inspect: Callable[[list[str]], NodeReport]) -> str:
    """Empty, or the sentence that the files are the whole of what the node runs: another version, not a patch.

    `inspect` asks the same node, which happens only where it may be so: modules that the node lacks are no part of what it runs.
    """
    code = [one.path for one in report.results if one.status is not None]
    if report.module_count < 2 or len(code) < report.module_count:
        return ""
    known = [row for row in inspect(code).loaded if row.disk_version]
    if len(known) < report.module_count:
        return ""
    return (
        f"It holds all {report.module_count} modules of the system: that is an upgrade to another "
        "version, not a patch."
    )
