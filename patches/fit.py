"""Whether what nodes answered allows a patch to be applied: one home of the rules, for checks and for upgrades. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from devices.drivers.nodes import REFUSED, NodeReport


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


def why_not_a_part(report: NodeReport) -> str:
    """Empty, or the sentence that the files are the whole of what the node runs: another version, not a patch."""
    code = [one for one in report.results if one.status is not None and one.status not in REFUSED]
    if report.module_count > 1 and len(code) >= report.module_count:
        return (
            f"It holds all {report.module_count} modules of the system: that is an upgrade to another "
            "version, not a patch."
        )
    return ""
