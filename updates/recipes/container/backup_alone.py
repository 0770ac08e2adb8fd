"""One backup while everything runs, by itself: in no upgrade."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from devices.drivers.shell import Shell
from devices.errors import DeviceError, DeviceUnreachable, StaleHolder, StepStillRunning
from portal.core.errors import Refused
from updates.errors import BackupRefused, StepFailed
from updates.plan import ContainerPlan
from updates.recipes.container.backup_copy import Written
from updates.recipes.container.backups import Backups
from updates.runner import Context

CHECKED: Final = "checked"
"""The fact that a look has found all that is needed."""


def backed_up(
    context: Context,
    plan: ContainerPlan,
    shell: Shell,
    backups: Backups,
    *,
    never: Collection[str],
) -> Written:
    """There is a live backup, and no more old ones than the plan keeps; those at `never` stay. BackupRefused with the reason.

    The plan's `upgrade` is the journal's. Of one that has failed nothing is left; what waits for the device, or for another
    step there, is gone on with by the next call.
    """
    with _leaving_nothing_of_a_failure(context, plan, shell, backups):
        if not context.journal.recall(CHECKED):
            bad = next((one for one in backups.findings() if not one.ok), None)
            if bad is not None:
                raise BackupRefused(bad.says)
            context.journal.remember(CHECKED, True)  # noqa: FBT003 - a JSON value
        written = backups.live(context)
        if written is None:
            raise BackupRefused(backups.why_not_live(context))
        backups.prune(context, never=never)
        shell.remove_tree(f"{plan.device.work_root}/{plan.upgrade}")
        return written


@contextmanager
def _leaving_nothing_of_a_failure(
    context: Context, plan: ContainerPlan, shell: Shell, backups: Backups
) -> Iterator[None]:
    try:
        yield
    except (DeviceUnreachable, StepStillRunning, StaleHolder):
        raise
    except (DeviceError, Refused, StepFailed):
        with suppress(DeviceError):  # what is to be known is why there is none
            backups.clear(context)
            shell.remove_tree(f"{plan.device.work_root}/{plan.upgrade}")
        raise
