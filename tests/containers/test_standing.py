"""What tests of container upgrades compare by sees what an upgrade could leave wrong, and nothing that is another each time."""

from __future__ import annotations

import pytest

from tests.containers.deployed import ByCompose, ByHand, Way
from tests.containers.host import Host
from tests.containers.ledger import V1, V2
from tests.containers.stage import Stage

pytestmark = pytest.mark.database


@pytest.mark.parametrize("way", [ByCompose, ByHand])
def test_a_version_deployed_twice_is_the_same_and_another_is_not(
    container_stage: Stage, db: None, way: Way
) -> None:
    host = Host(container_stage)
    deployed = way(container_stage, container_stage.ledger)
    old = host.deploy(deployed)
    books = host.books(deployed)
    assert old.answers["device"].startswith("ledger 1.0.0 says good")
    assert set(old.answers.values()) == {old.answers["device"]}

    deployed.up(V2)
    host.await_answer(deployed)
    seen = {line.partition(":")[0] for line in host.stands(deployed).differs(old)}
    assert {
        f"containers {deployed.name} image", f"containers {deployed.name} environment",
        "data book", "data schema", "answers device",
    } <= seen  # fmt: skip

    (books / "schema").write_text("1\n")
    (books / "book").write_text("opened\n")
    deployed.up(V1)
    host.await_answer(deployed)
    assert host.stands(deployed).differs(old) == []
    (books / "gold").chmod(0o600)
    assert "data gold" in host.stands(deployed).differs(old)[0]
