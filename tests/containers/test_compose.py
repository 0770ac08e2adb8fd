"""Docker Compose 1.29 on a real engine: found, asked, and made to create a container anew from the files that made it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.drivers.local import LocalShell
from tests.containers.compose_project import CONTAINER, IMAGE, Shop
from tests.environment.docker import DockerEngine
from tests.environment.programs import program
from updates.errors import ComposeMissing, ComposeRefused
from updates.formats.compose import pinned
from updates.recipes.container.compose import Program


@pytest.fixture
def shop(docker_engine: DockerEngine, tmp_path: Path) -> Iterator[Shop]:
    """A shop that has not been started."""
    program("docker-compose", package="docker-compose")
    found = Shop(docker_engine, tmp_path / "srv" / "shop")
    yield found
    found.remove()


def env_of(shop: Shop) -> dict[str, str]:
    return dict(one.split("=", 1) for one in shop.container()["Config"]["Env"])


def volumes_of(shop: Shop) -> dict[str, str]:
    return {
        one["Destination"]: one.get("Name", one["Source"]) for one in shop.container()["Mounts"]
    }


def test_a_new_image_under_the_same_tag_comes_with_all_that_the_files_say(shop: Shop) -> None:
    shop.release("1")
    shop.up()
    before, store, volumes = shop.container(), shop.container("shop_store_1"), volumes_of(shop)
    new = shop.release("2")
    compose = shop.compose()
    assert compose.config().service("front").image == f"{IMAGE}:latest"

    made = shop.run(compose.create(scale=1, grace_seconds=5))
    assert made.status == 0, made.output

    after = shop.container()
    assert after["State"]["Status"] == "created", "it is made, and not started"
    assert after["Image"] == new != before["Image"]
    assert env_of(shop)["PLACE"] == "overlay"
    assert env_of(shop)["GREETING"] == "good morning to you"
    assert volumes_of(shop) == volumes, "the anonymous one too"
    assert shop.project().service == "front"
    assert shop.container("shop_store_1")["Id"] == store["Id"], "nothing else is touched"

    assert shop.run(compose.start()).status == 0
    assert shop.container()["State"]["Running"]
    networks = shop.container()["NetworkSettings"]["Networks"]
    assert set(networks) == {"shop_inside", "shop_outside"}, "Compose 1 joins the second one here"
    assert compose.containers() == [after["Id"]]
    assert shop.run(compose.stop(grace_seconds=5)).status == 0
    assert shop.container()["State"]["ExitCode"] == 0, "it had its time to end by itself"
    assert compose.containers() == [after["Id"]], "a stopped one is listed, too"

    shop.engine.docker("tag", before["Image"], f"{IMAGE}:latest")
    assert shop.run(compose.create(scale=1, grace_seconds=1)).status == 0
    assert shop.container()["Image"] == before["Image"], "the way back is the same call"


def test_what_was_broken_off_half_way_is_mended_by_the_same_call(shop: Shop) -> None:
    """Compose 1 renames the old container first, and may die then."""
    shop.release("1")
    shop.up("--no-start")
    compose = shop.compose()
    old = shop.container()["Id"]
    shop.engine.docker("rename", CONTAINER, f"{old[:12]}_{CONTAINER}")
    assert compose.containers() == [old]

    assert shop.run(compose.create(scale=1, grace_seconds=1)).status == 0
    new = shop.container()["Id"]
    assert compose.containers() == [new]
    assert new != old


def test_as_many_as_there_were_come_back_whatever_the_files_say(shop: Shop) -> None:
    shop.release("1")
    shop.up("--no-start", "--scale", "store=2", "store")
    found = shop.compose(shop.project("shop_store_2"), container="shop_store_2")
    assert len(found.containers()) == 2
    assert shop.run(found.create(scale=2, grace_seconds=1)).status == 0
    assert len(found.containers()) == 2
    assert shop.container("shop_store_2")["State"]["Status"] == "created"


CALLED = [
    # where it is called      with which files                             what the label says
    (".", ["-f", "compose.yml", "-f", "prod.yml"], "compose.yml,prod.yml"),
    ("..", ["-f", "shop/compose.yml", "-f", "shop/prod.yml"], "shop/compose.yml,shop/prod.yml"),
    ("pages", ["-f", "../compose.yml", "-f", "../prod.yml"], "../compose.yml,../prod.yml"),
    ("/", ["--project-directory", "{shop}", "-f", "{shop}/compose.yml", "-f", "{shop}/prod.yml"], None),
]  # fmt: skip


def test_its_labels_lead_to_the_files_wherever_it_was_called(shop: Shop) -> None:
    shop.release("1")
    (shop.folder / "pages").mkdir()
    for where, named, label in CALLED:
        words = [word.format(shop=shop.folder) for word in named]
        up = ["up", "--no-start", "--force-recreate", "--no-deps", "front"]
        shop.compose_1("-p", "shop", *words, *up, cwd=shop.folder / where)
        if label is not None:
            assert shop.labels()["com.docker.compose.project.config_files"] == label
        found = shop.project()
        assert (found.working_dir, found.files) == (str(shop.folder), shop.files().files)
        assert shop.compose().missing_files() == []


def test_an_env_file_that_was_named_is_used_again(shop: Shop) -> None:
    (shop.folder / "night.env").write_text(f"SHOP_IMAGE={IMAGE}:latest\nGREETING=good night\n")
    shop.release("1")
    up = ["-f", "compose.yml", "-f", "prod.yml", "up", "--no-start", "front"]
    shop.compose_1("-p", "shop", "--env-file", "night.env", *up)
    assert shop.project().env_files == (f"{shop.folder}/night.env",)
    assert shop.run(shop.compose().create(scale=1, grace_seconds=0)).status == 0
    assert env_of(shop)["GREETING"] == "good night"


def test_a_file_that_is_gone_is_named_and_nothing_is_left_out(shop: Shop) -> None:
    (shop.folder / "prod.yml").unlink()
    compose = shop.compose(shop.files())
    assert compose.missing_files() == [f"{shop.folder}/prod.yml"]
    with pytest.raises(ComposeRefused, match=r"started with \S+/shop/prod\.yml") as caught:
        compose.config()
    assert caught.value.rule == "file-missing"


def test_what_compose_says_of_an_invalid_file_is_passed_on(shop: Shop) -> None:
    (shop.folder / "prod.yml").write_text("version: '3.7'\nservices: {front: {ports: nonsense}}\n")
    with pytest.raises(
        ComposeRefused, match=r"docker-compose 1\.29\.2 does not take .*ports"
    ) as caught:
        shop.compose(shop.files()).config()
    assert caught.value.rule == "invalid"


def test_variables_that_only_the_operators_shell_had_are_found(shop: Shop) -> None:
    (shop.folder / ".env").write_text(f"SHOP_IMAGE={IMAGE}:latest\n")
    assert shop.compose(shop.files()).config().unset == ("GREETING",)


def test_a_pinned_tag_is_seen_through_variables_and_overlays(shop: Shop) -> None:
    target = f"{IMAGE}:4.3.0"
    compose = shop.compose(shop.files())

    def why() -> str:
        image = compose.config().service("front").image
        return pinned(image, target, service="front", files=shop.files().files)

    assert why() == ""
    (shop.folder / ".env").write_text(f"SHOP_IMAGE={IMAGE}:4.2.1\nGREETING=x\n")
    assert "pins the tag 4.2.1, which is not 4.3.0" in why()
    overlay = f"version: '3.7'\nservices: {{front: {{image: '{IMAGE}:4.3'}}}}\n"
    (shop.folder / "prod.yml").write_text(overlay)
    assert why() == ""


def test_seen_at_another_place_paths_still_mean_those_of_the_engines_host(
    shop: Shop, tmp_path: Path
) -> None:
    shop.release("1")
    shop.up("--no-start", "front")
    pages = volumes_of(shop)["/pages"]
    elsewhere = tmp_path / "compose"
    shutil.copytree(shop.folder, elsewhere)
    shutil.rmtree(shop.folder)  # what a container with its own file system sees
    compose = shop.compose(shop.project().seen_at(str(elsewhere)))
    assert compose.config().unset == (), "its .env is read from there"
    made = shop.run(compose.create(scale=1, grace_seconds=1))
    assert made.status == 0, made.output
    assert volumes_of(shop)["/pages"] == pages
    assert env_of(shop)["GREETING"] == "good morning to you"
    again = shop.project()
    assert again.working_dir == str(shop.folder)
    assert again.seen_at(str(elsewhere)).files == tuple(
        f"{elsewhere}/{name}" for name in ("compose.yml", "prod.yml")
    )


def test_a_container_named_as_compose_2_does_is_not_given_another_name(shop: Shop) -> None:
    with pytest.raises(ComposeRefused, match="made by Compose 2") as caught:
        shop.compose(shop.files(), container="shop-front-1")
    assert caught.value.rule == "other-compose"


def test_a_device_without_compose_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool in ("sh", "env", "setsid", "kill", "sleep", "cat"):
        (tmp_path / tool).symlink_to(program(tool, package="coreutils"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ComposeMissing, match="install Docker's Compose plugin"):
        Program.found(LocalShell())
