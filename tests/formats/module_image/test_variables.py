"""The variables for images, and what becomes of those that were in force."""

from __future__ import annotations

import pytest

from tests.formats.module_image.build import check_sentence
from updates.errors import ModuleRefused
from updates.formats.module_image import image_variable, image_variables, patch, patched

NAMES = {
    "docker.io/library/mysql:10.3-alpine": "MYSQL_IMAGE",
    "quay.io/prometheus/node-exporter:v1.5.0": "NODE_EXPORTER_IMAGE",
    "docker.io/2fauth/2fauth:5.2.0": "I2FAUTH_IMAGE",
    "mysql": "MYSQL_IMAGE",
    "mysql:8": "MYSQL_IMAGE",
    "localhost:5000/redis": "REDIS_IMAGE",
    f"ghcr.io/a/b.c+d@sha256:{'0' * 64}": "B_C_D_IMAGE",
    f"ghcr.io/a/web_app:1.0@sha256:{'0' * 64}": "WEB_APP_IMAGE",
}


def wanted(*services: str, version: str = "1") -> dict[str, str]:
    return image_variables(
        module_url=f"ghcr.io/a/shop:{version}",
        image_id=f"id{version}",
        digest=f"sha256:{version}",
        repo_digest=f"ghcr.io/a/shop@sha256:{version}",
        services=services,
    )


def test_a_service_image_is_named_by_its_last_part() -> None:
    assert {reference: image_variable(reference) for reference in NAMES} == NAMES


def test_the_variables_of_an_image() -> None:
    assert wanted("docker.io/library/redis:7", "docker.io/library/redis:7") == {
        "IMAGE_ID": "id1",
        "IMAGE_URL": "ghcr.io/a/shop:1",
        "IMAGE_DIGEST": "sha256:1",
        "IMAGE_REOPODIGEST": "ghcr.io/a/shop@sha256:1",
        "REDIS_IMAGE": "docker.io/library/redis:7",
    }


def test_two_images_that_would_share_a_variable_are_refused_and_both_named() -> None:
    with pytest.raises(ModuleRefused) as caught:
        wanted("docker.io/a/web-app:1", "docker.io/b/web_app:1")
    assert check_sentence(caught.value) == "same-variable"
    assert "docker.io/a/web-app:1" in str(caught.value)
    assert "docker.io/b/web_app:1" in str(caught.value)


def test_an_image_whose_variable_is_kept_for_what_was_before_is_refused() -> None:
    with pytest.raises(ModuleRefused) as caught:
        wanted("docker.io/a/prev-redis:1")
    assert caught.value.rule == "same-variable"


def test_what_was_in_force_is_kept_and_a_new_image_has_no_previous_one() -> None:
    before = {**wanted("x/redis:6"), "OWN": "1", "PREV_MARIADB_IMAGE": "None", "OLD_IMAGE": "x"}
    change = patch(before, wanted("x/redis:7", "x/mariadb:11", version="2"))
    assert change["PREV_MARIADB_IMAGE"] is None
    after = patched(before, change)
    assert after == {
        **wanted("x/redis:7", "x/mariadb:11", version="2"),
        **{f"PREV_{key}": value for key, value in wanted("x/redis:6").items()},
        "OWN": "1",
        "OLD_IMAGE": "x",
    }


def test_an_empty_environment_gets_no_previous_ones() -> None:
    assert patched({}, patch({}, wanted())) == wanted()
