"""A registry with an engine that pushes to it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.environment.docker import DockerEngine
from tests.environment.registry import Registry
from tests.environment.workdir import workdir


@pytest.fixture(scope="session")
def registry(docker_engine: DockerEngine) -> Iterator[Registry]:
    registry = Registry(workdir() / "asked-registry")
    registry.start()
    registry.show_to(docker_engine)
    yield registry
    registry.remove()


@pytest.fixture
def name() -> str:
    return f"asked-{secrets.token_hex(4)}"
