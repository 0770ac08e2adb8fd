"""`manage.py deployment VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Final

from django.core.management.base import CommandError

from portal.cli import find
from portal.cli.find import short
from portal.cli.limit import limit_argument, shown
from portal.cli.output import Output
from portal.cli.reason import reason_argument
from portal.cli.verb import Call, Verb
from portal.cli.watching import in_words, watch_order
from updates.api.deployments import DeploymentDetailSerializer, DeploymentSerializer
from updates.machine import Outcome
from updates.models import Deployment
from updates.progress import Counts, counts, counts_of
from updates.services.deployments import cancel_deployment


def tell(deployment: Deployment, *, out: Output) -> None:
    """The deployment, and how far it is."""
    if out.as_json:
        out.document(DeploymentDetailSerializer(deployment).data)
        return
    out.facts(
        (
            ("id", deployment.pk),
            ("name", deployment.name),
            ("release", deployment.release),
            ("artifact", deployment.artifact_id),
            ("upgrades", in_words(counts(deployment))),
            (
                "left out",
                f"{deployment.left_out_count} devices" if deployment.left_out_count else "",
            ),
            ("asked by", deployment.requested_by_name),
            ("reason", deployment.reason),
            ("asked", deployment.created_at),
        )
    )


def wait_for_all(deployment: Deployment, *, out: Output) -> None:
    """The deployment is over. CommandError unless every upgrade succeeded."""
    quiet = Output(_Nowhere(), as_json=False) if out.as_json else out
    found = watch_order(deployment, out=quiet)
    if out.as_json:
        tell(deployment, out=out)
    _refuse_other_than_success(found)


class _Nowhere:
    def write(self, msg: str, /) -> None:
        """Nothing is said while a program waits for one document."""

    def flush(self) -> None:
        """Nothing to say."""


def _refuse_other_than_success(found: Counts) -> None:
    amiss = found.total - found.outcomes[Outcome.SUCCEEDED]
    if amiss:
        raise CommandError(f"{amiss} of {found.total} upgrades did not succeed: {in_words(found)}.")


def _deployment_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "deployment", metavar="ID", help="the beginning of its id, 4 digits at least"
    )


def _cancel_arguments(parser: ArgumentParser) -> None:
    _deployment_argument(parser)
    reason_argument(parser)


def _list(call: Call) -> None:
    call.actor.require("updates.view_deployment")
    rows = shown(Deployment.objects.select_related("artifact", "release"), call)
    if call.out.as_json:
        call.out.document(DeploymentSerializer(rows, many=True).data)
        return
    found = counts_of(rows)
    call.out.table(
        ("ID", "NAME", "RELEASE", "UPGRADES", "ASKED", "BY"),
        (
            (
                short(row),
                row.name,
                row.release,
                in_words(found[row.pk]),
                row.created_at,
                row.requested_by_name,
            )
            for row in rows
        ),
    )


def _show(call: Call) -> None:
    call.actor.require("updates.view_deployment")
    tell(find.deployment(call.words["deployment"]), out=call.out)


def _watch(call: Call) -> None:
    call.actor.require("updates.view_deployment")
    deployment = find.deployment(call.words["deployment"])
    _refuse_other_than_success(watch_order(deployment, out=call.out))


def _cancel(call: Call) -> None:
    deployment = find.deployment(call.words["deployment"])
    cancelled = cancel_deployment(
        deployment=deployment, actor=call.actor, reason=call.words["reason"]
    )
    if call.out.as_json:
        call.out.document({"cancelled": cancelled})
    else:
        call.out.text(f"A cancel is on its way to {cancelled} upgrades.")


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list deployments, newest first", limit_argument, _list),
    "show": Verb("show a deployment, and how far it is", _deployment_argument, _show),
    "watch": Verb(
        "print its counts until it is over; status 1 unless all succeed",
        _deployment_argument,
        _watch,
    ),
    "cancel": Verb("cancel what of it can still be cancelled", _cancel_arguments, _cancel),
}
