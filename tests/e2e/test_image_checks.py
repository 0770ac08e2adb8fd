"""A check of a module image on an instance, with a real engine and registry: what it finds, and that it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portal.core.actors import PORTAL
from tests.modules.host import Host, updated
from tests.modules.stage import Stage
from updates.jobs import run_image_check
from updates.machine import Outcome
from updates.models import Check, ImageCheck, Instance
from updates.services.image_checks import image_checks, request_image_checks, why_stale

Verdict = Check.Verdict


@pytest.fixture
def host(module_stage: Stage, transactional_db: None) -> Iterator[Host]:
    host = Host(module_stage.device(), module_stage.engine)
    yield host
    host.reset()


def checked(instance: Instance, image: str) -> ImageCheck:
    """The check of the image on the instance, over."""
    [check] = request_image_checks(image=image, instances=[instance], actor=PORTAL)
    run_image_check(str(check.pk))
    return image_checks().get(pk=check.pk)


@pytest.mark.usefixtures("redis_server")
def test_a_check_says_what_an_update_would_meet_and_fetches_nothing(
    host: Host, module_stage: Stage
) -> None:
    module = module_stage.module
    v1, v2, v3 = (module.build(f"{number}.0.0") for number in (1, 2, 3))
    picky = module.build("4.0.0", labels={"org.nethserver.min-from": "2.0.0"})
    instance = host.install(v1)
    before = host.stands(instance)
    module.forget(v2, v3, picky, *(module.service("web", f"{n}.0.0") for n in (2, 3, 4)))

    good = checked(instance, v2)
    assert good.verdict == Verdict.COMPATIBLE, good.findings
    assert (good.is_local, good.digest[:7], why_stale(good)) == (False, "sha256:", "")
    assert host.engine.attempt("image", "inspect", v2).returncode != 0, "nothing was fetched"
    assert checked(instance, v1).verdict == Verdict.UNCHANGED
    refused = checked(instance, picky)
    assert refused.verdict == Verdict.REFUSED
    assert any("wants 2.0.0 or newer" in row["says"] for row in refused.findings if not row["ok"])
    missing = checked(instance, module.reference("9.9.9"))
    assert (missing.verdict, missing.digest) == (Verdict.REFUSED, "")
    assert host.stands(instance).differs(before) == []

    done = updated(instance, v3)
    assert done.outcome == Outcome.SUCCEEDED, done.error
    assert why_stale(image_checks().get(pk=good.pk)) == f"In force was {v1} then, and is {v3} now."
