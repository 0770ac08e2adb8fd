"""Whether a patch can be applied to instances as all of them are now: for one order, or for a page of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from devices.drivers.nodes import REFUSED, Status
from patches.errors import NotApplicable
from patches.models import Application, Node, NodeResult, Patch, PatchCheck
from patches.services.patch_checks import why_stale
from updates.models import Instance

Standing = Application.Standing

NAMED = 5


@dataclass(slots=True)
class Facts:
    """What is on record about one patch and one instance; `answers` are those of the check, the worst first, without files."""

    instance: Instance
    check: PatchCheck | None = None
    nodes: list[int] = field(default_factory=list)
    answers: list[NodeResult] = field(default_factory=list)
    eliminated: Application | None = None
    in_force: Application | None = None
    ordered: Application | None = None
    broken: Application | None = None

    @property
    def refused(self) -> list[str]:
        """The nodes on which the check says 1-3."""
        codes = {status.value for status in REFUSED}
        return sorted(row.node_name for row in self.answers if row.status in codes)

    @property
    def stale(self) -> str:
        """Why the check is not to be relied on any more; empty while it is, and where there is none."""
        return why_stale(self.check, nodes=self.nodes) if self.check else ""


def facts_of(patch: Patch, instances: Sequence[Instance]) -> list[Facts]:
    """The facts of each instance, in their order. However many they are, the database is asked four times."""
    facts = {one.pk: Facts(one) for one in instances}
    rows = Node.objects.filter(instance__in=facts).order_by("pk").values_list("instance", "pk")
    for instance, node in rows:
        facts[instance].nodes.append(node)
    answers: dict[int, list[NodeResult]] = {}
    for row in PatchCheck.objects.filter(patch=patch, instance__in=facts):
        row.patch, row.instance = patch, facts[row.instance_id].instance
        facts[row.instance_id].check = row
        answers[row.pk] = facts[row.instance_id].answers
    found = NodeResult.objects.filter(check_of__in=answers).defer("files", "detail")
    for result in found.order_by("status", "node_name"):
        answers[result.check_of_id or 0].append(result)
    applied = Application.objects.filter(patch=patch, instance__in=facts)
    for application in applied.order_by("pk").select_related("upgrade"):
        _note(facts[application.instance_id], application)
    return list(facts.values())


def _note(facts: Facts, application: Application) -> None:
    standing = application.standing
    if standing == Standing.ELIMINATED:
        facts.eliminated = application
    elif standing == Standing.ACTIVE:
        facts.in_force = application
    elif standing == Standing.ORDERED:
        facts.ordered = application
    elif standing == Standing.BROKEN:
        facts.broken = application


def refuse_not_applicable(patch: Patch, instance: Instance, *, override: bool = False) -> None:
    """Nothing, or NotApplicable with the reason why the patch cannot be applied to the instance now."""
    (facts,) = facts_of(patch, [instance])
    if refusal := why_not_applicable(patch, facts, override=override):
        raise NotApplicable(refusal)


def why_not_applicable(patch: Patch, facts: Facts, *, override: bool = False) -> str:
    """The same as a sentence; empty when it can be applied."""
    return _why_not_ever(patch, facts) or _why_not_by_check(facts, override=override)


def _why_not_ever(patch: Patch, facts: Facts) -> str:
    instance = facts.instance
    if instance.module_id != patch.module_id:
        return f"{instance} is no instance of {patch.module}."
    if patch.deleted_at is not None:
        return f"Its archive was deleted by {patch.deleted_by_name}."
    if facts.eliminated is not None:
        return (
            f"It was in force before {instance} was installed anew, and can't be applied again. "
            f"{facts.eliminated.ended_why}"
        )
    if facts.in_force or facts.ordered:
        return f"It is in force on {instance} already, or on its way."
    return ""


def _why_not_by_check(facts: Facts, *, override: bool) -> str:
    check = facts.check
    if check is None:
        return f"Check it on {facts.instance} first."
    if check.checked_at is None:
        return "Its check is not over yet."
    if facts.stale:
        return f"Check it again. {facts.stale}"
    return check.refusal or ("" if override else _why_refused(check, facts.refused))


def _why_refused(check: PatchCheck, names: list[str]) -> str:
    if not names and check.integral not in REFUSED:
        return ""
    worst = Status(check.integral or Status.ERROR)
    where = f" on {', '.join(names[:NAMED])}" if names else ""
    return f"The check says {worst.name.lower()} ({worst.value}){where}."
