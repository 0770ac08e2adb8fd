"""What a container's labels say of its Compose project: paths in full, or a refusal that says what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updates.errors import ComposeRefused
from updates.formats.compose import ComposeProject, project_of

PREFIX = "com.docker.compose."


def labels(**given: str) -> dict[str, str]:
    """Of a container that Compose 2 made, with what is `given` instead."""
    found = {
        "project": "shop",
        "service": "web",
        "oneoff": "False",
        "config-hash": "9a31",
        "project.working_dir": "/srv/shop",
        "project.config_files": "/srv/shop/compose.yaml",
    }
    found |= {
        name.replace("__", ".").replace("config.hash", "config-hash"): text
        for name, text in given.items()
    }
    return {PREFIX + name: text for name, text in found.items() if text != "(none)"}


def project(**given: str) -> ComposeProject:
    found = project_of(labels(**given))
    assert found is not None
    return found


def refusal(**given: str) -> ComposeRefused:
    with pytest.raises(ComposeRefused) as caught:
        project_of(labels(**given))
    sentence = str(caught.value)
    assert sentence.isprintable()
    assert sentence.endswith(".")
    return caught.value


def test_a_container_that_compose_did_not_make_has_no_project() -> None:
    assert project_of({"maintainer": "x", "com.docker.compose.service": "web"}) is None


def test_all_of_it_is_read() -> None:
    found = project(
        project__config_files="/srv/shop/compose.yaml,/etc/shop/prod.yaml",
        project__environment_file="/srv/shop/prod.env,/srv/shop/more.env",
    )
    assert found == ComposeProject(
        name="shop",
        service="web",
        working_dir="/srv/shop",
        folder="/srv/shop",
        files=("/srv/shop/compose.yaml", "/etc/shop/prod.yaml"),
        env_files=("/srv/shop/prod.env", "/srv/shop/more.env"),
        config_hash="9a31",
    )


RELATIVE = [
    # called where                                   what Compose 1 wrote            what is meant
    ("/srv/shop", "docker-compose.yml", ["/srv/shop/docker-compose.yml"]),
    ("/srv/shop", "a.yml,over/b.yml", ["/srv/shop/a.yml", "/srv/shop/over/b.yml"]),
    ("/srv/shop", "a.yml,../base.yml", ["/srv/shop/a.yml", "/srv/base.yml"]),
    ("/srv/shop", "a.yml,/etc/b.yml", ["/srv/shop/a.yml", "/etc/b.yml"]),
    # in /srv, with `-f shop/a.yml`: the directory is the first file's
    ("/srv/shop", "shop/a.yml", ["/srv/shop/a.yml"]),
    ("/srv/shop", "shop/a.yml,shop/b.yml,c.yml", ["/srv/shop/a.yml", "/srv/shop/b.yml", "/srv/c.yml"]),
    ("/a/srv/shop", "srv/shop/a.yml,x/b.yml", ["/a/srv/shop/a.yml", "/a/x/b.yml"]),
    # in a directory below, where it looked upwards, or was told so
    ("/srv/shop", "../docker-compose.yml", ["/srv/shop/docker-compose.yml"]),
    ("/srv/shop", "../../docker-compose.yml,../../o.yml", ["/srv/shop/docker-compose.yml", "/srv/shop/o.yml"]),
    ("/srv/shop", "../shop/a.yml,../b.yml", ["/srv/shop/a.yml", "/srv/b.yml"]),
    ("/srv/shop", "../a.yml,../../b.yml", ["/srv/shop/a.yml", "/srv/b.yml"]),
    # in /srv/shop, with `--project-directory .`
    ("/srv/shop", "deploy/a.yml,deploy/b.yml", ["/srv/shop/deploy/a.yml", "/srv/shop/deploy/b.yml"]),
    ("/", "a.yml", ["/a.yml"]),
]  # fmt: skip


@pytest.mark.parametrize(("folder", "written", "meant"), RELATIVE)
def test_relative_paths_are_resolved_from_where_compose_was_called(
    folder: str, written: str, meant: list[str]
) -> None:
    found = project(project__working_dir=folder, project__config_files=written)
    assert list(found.files) == meant


REFUSED = [
    ({"project__config_files": "../a.yml,b.yml"}, "path"),  # below /srv/shop, in a directory that nobody named
    ({"project__config_files": "a.yml,../../../b.yml"}, "path"),
    ({"project__config_files": "/srv/shop/../../etc/a.yml"}, "path"),
    ({"project__config_files": "a/../b.yml"}, "path"),
    ({"project__config_files": "C:\\shop\\docker-compose.yml", "project__working_dir": "C:\\shop"}, "path"),
    ({"project__config_files": "/srv/shop/a.yml,,/srv/b.yml"}, "path"),
    ({"project__config_files": "/srv/shop/a\n.yml"}, "path"),
    ({"project__config_files": "/srv/" + "a" * 5000}, "path"),
    ({"project__config_files": ",".join(["/a.yml"] * 65)}, "too-many"),
    ({"project__config_files": "-"}, "stdin"),
    ({"project__config_files": "(none)"}, "label-missing"),
    ({"project__working_dir": "(none)"}, "label-missing"),
    ({"project__working_dir": "srv/shop"}, "path"),
    ({"project__working_dir": "/srv/../shop"}, "path"),
    ({"project__environment_file": "/srv/../x.env"}, "path"),
    ({"service": "(none)"}, "label-missing"),
    ({"service": "--all"}, "name"),
    ({"service": "a b"}, "name"),
    ({"project": "-p"}, "name"),
    ({"project": "Shop"}, "name"),
    ({"oneoff": "True"}, "one-off"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "rule"), REFUSED)
def test_what_makes_no_sense_is_refused(given: dict[str, str], rule: str) -> None:
    assert refusal(**given).rule == rule


def test_elsewhere_each_file_is_at_its_own_place_below_the_directory() -> None:
    found = project(
        project__config_files="/srv/shop/compose.yaml,/srv/shop/over/compose.yaml",
        project__environment_file="/srv/shop/prod.env",
    ).seen_at("/compose")
    assert found.files == ("/compose/compose.yaml", "/compose/over/compose.yaml")
    assert found.env_files == ("/compose/prod.env",)
    assert found.own_env_file == "/compose/.env"
    assert found.working_dir == "/srv/shop"  # what `./data` in the files means to the engine


def test_what_was_made_from_elsewhere_is_found_there_again() -> None:
    again = project(project__config_files="/compose/compose.yaml").seen_at("/compose")
    assert again.files == ("/compose/compose.yaml",)


def test_its_own_place_is_no_other() -> None:
    assert project().seen_at("/srv/shop") == project()


@pytest.mark.parametrize("elsewhere", ["/etc/over.yaml", "/srv/shop2/over.yaml", "/srv/over.yaml"])
def test_a_file_outside_of_the_directory_is_not_taken_for_one_of_the_same_name(
    elsewhere: str,
) -> None:
    found = project(project__config_files=f"/srv/shop/compose.yaml,{elsewhere}")
    with pytest.raises(ComposeRefused, match="mount the directories of both") as caught:
        found.seen_at("/compose")
    assert caught.value.rule == "outside"
    assert elsewhere in str(caught.value)


@pytest.mark.parametrize("folder", ["", "compose", "/compose/../etc"])
def test_a_directory_that_is_none_is_refused(folder: str) -> None:
    with pytest.raises(ComposeRefused):
        project().seen_at(folder)


parts = st.sampled_from(["a", "b.yml", "shop", "srv", "..", ".", "", "-", "ü", "\0", "\n", " "])
paths = st.lists(parts, max_size=5).map("/".join)
texts = st.one_of(
    st.lists(paths | paths.map("/".__add__), min_size=1, max_size=4).map(",".join),
    st.text(max_size=20),
)


@given(files=texts, folder=texts, env_file=texts, elsewhere=texts)
def test_whatever_the_labels_hold_it_is_refused_or_all_paths_are_absolute(
    files: str, folder: str, env_file: str, elsewhere: str
) -> None:
    try:
        found = project(
            project__config_files=files,
            project__working_dir=folder,
            project__environment_file=env_file,
        )
        assert len(found.files) == files.count(",") + 1  # none is left out
        moved = found.seen_at(elsewhere)
        assert all(path.startswith(moved.folder) for path in (*moved.files, *moved.env_files))
    except ComposeRefused as refused:
        assert str(refused).isprintable()
        return
    for path in (*found.files, *found.env_files, *moved.files, *moved.env_files, found.working_dir):
        assert path.startswith("/")
        assert ".." not in path.split("/")
        assert path.isprintable()
