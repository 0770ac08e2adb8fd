"""Images that ways back hold on a real engine: one way back that is forgotten takes nothing from those that stay."""

from __future__ import annotations

import pytest

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine_ways import UnixWay
from tests.modules.mymodule import MyModule
from tests.modules.stage import Stage
from updates.recipes.engine_images import KEEP, Images
from updates.services.module_recipes import ask_registry

pytestmark = pytest.mark.docker

VERSION = "1.9.0"


@pytest.fixture
def engine(module_stage: Stage) -> DockerEngine:
    return DockerEngine(UnixWay(str(module_stage.engine.socket)))


def images(engine: DockerEngine, upgrade: str) -> Images:
    """Those of the upgrade of that id."""
    return Images(
        engine, upgrade=upgrade, force=False, ask_registry=ask_registry, login_for=lambda _: None
    )


def kept(engine: DockerEngine, upgrade: str, *references: str) -> list[dict[str, str]]:
    """What the upgrade has kept of these."""
    rows = images(engine, upgrade).to_keep(references)
    images(engine, upgrade).keep(rows)
    return rows


def pinned(module: MyModule) -> str:
    """A service's image by its digest: the engine has it under that name alone."""
    tagged = module.service("web", VERSION)
    by_digest = f"{tagged.rpartition(':')[0]}@{module.pushed[tagged]}"
    module.forget(tagged)
    module.engine.docker("pull", by_digest)
    return by_digest


def test_an_image_that_another_way_back_holds_stays_with_its_names(
    engine: DockerEngine, module_stage: Stage
) -> None:
    reference, notes = pinned(module_stage.module), list[str]()
    first, second = kept(engine, "first", reference), kept(engine, "second", reference)

    images(engine, "third").forget(first, needed=set(), note=notes.append)
    images(engine, "second").put_back(second)
    found = engine.image(reference)
    assert found is not None
    assert found.tags == [f"{KEEP}:second-0"]

    images(engine, "fourth").forget(second, needed=set(), note=notes.append)
    assert engine.image(reference) is None
    assert engine.image(found.id) is None
    assert notes == []


def test_an_image_that_one_way_back_holds_by_two_names_goes_with_it(
    engine: DockerEngine, module_stage: Stage
) -> None:
    reference, notes = pinned(module_stage.module), list[str]()
    other = f"{reference.partition('@')[0]}:floats"
    engine.tag(engine.image(reference).id, other)  # type: ignore[union-attr]

    rows = kept(engine, "only", reference, other)
    images(engine, "next").forget(rows, needed=set(), note=notes.append)

    assert len(rows) == 2
    assert engine.image(rows[0]["id"]) is None
    assert notes == []
