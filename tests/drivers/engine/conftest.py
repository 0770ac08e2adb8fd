"""A private engine that listens in three ways, and a registry that it knows."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine_helpers import LABEL
from devices.drivers.engine_ways import TlsIdentity
from tests.drivers.engine.engine_under_test import TLS_PORT, WAYS, EngineUnderTest
from tests.drivers.sshd import SSHD, RunningSshd, start_sshd
from tests.environment.certificates import Certified, certified
from tests.environment.docker import DockerEngine as RunningEngine
from tests.environment.docker import private_engine
from tests.environment.module_images import build_image, busybox_files
from tests.environment.network import PrivateNetwork, private_network
from tests.environment.registry import Registry
from tests.environment.workdir import workdir


@pytest.fixture(scope="session")
def portal_certificates() -> Certified:
    """Who the portal is to engines."""
    return certified("portal")


@pytest.fixture(scope="session")
def _engine_network() -> PrivateNetwork:
    return private_network()


@pytest.fixture(scope="session")
def _engine_certificates(_engine_network: PrivateNetwork) -> Certified:
    # The loopback address: for tests that are in between, to cut a connection.
    return certified(_engine_network.inside, "127.0.0.1")


@pytest.fixture(scope="session")
def running_engine(
    _engine_network: PrivateNetwork, _engine_certificates: Certified, portal_certificates: Certified
) -> Iterator[RunningEngine]:
    folder = workdir() / "listening-engine"
    options = tls_options(
        folder, network=_engine_network, server=_engine_certificates, client=portal_certificates
    )
    engine = private_engine(folder, network=_engine_network, options=options)
    yield engine
    engine.remove()


def tls_options(
    folder: Path, *, network: PrivateNetwork, server: Certified, client: Certified
) -> list[str]:
    """What makes a dockerd listen on TCP, for clients that `client`'s authority vouches for."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"ca.pem": client.authority, "cert.pem": server.certificate, "key.pem": server.key}
    for name, text in files.items():
        (folder / name).write_text(text)
    return [
        *("--host", f"tcp://{network.inside}:{TLS_PORT}", "--tlsverify"),
        *("--tlscacert", str(folder / "ca.pem")),
        *("--tlscert", str(folder / "cert.pem"), "--tlskey", str(folder / "key.pem")),
    ]


@pytest.fixture(scope="session")
def engine_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSshd]:
    if SSHD is None:
        pytest.skip("openssh-server is not installed")
    running = start_sshd(tmp_path_factory.mktemp("engine-sshd"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def identity(_engine_certificates: Certified, portal_certificates: Certified) -> TlsIdentity:
    return TlsIdentity(
        authority=_engine_certificates.authority,
        certificate=portal_certificates.certificate,
        key=portal_certificates.key,
    )


@pytest.fixture(params=WAYS)
def under_test(
    request: pytest.FixtureRequest,
    running_engine: RunningEngine,
    identity: TlsIdentity,
    engine_sshd: RunningSshd,
) -> EngineUnderTest:
    return EngineUnderTest(
        kind=request.param, running=running_engine, identity=identity, sshd=engine_sshd
    )


@pytest.fixture
def engine(under_test: EngineUnderTest) -> Iterator[DockerEngine]:
    with under_test.open() as opened:
        yield opened


@pytest.fixture(scope="session")
def registry(running_engine: RunningEngine) -> Iterator[Registry]:
    registry = Registry(workdir() / "registry")
    registry.start()
    registry.show_to(running_engine)
    yield registry
    registry.remove()


@pytest.fixture(scope="session")
def busybox(running_engine: RunningEngine) -> str:
    """An image of the engine with a shell in it."""
    build_image(running_engine, "busybox-to-run:1", busybox_files())
    return "busybox-to-run:1"


@pytest.fixture
def name() -> str:
    return f"conformance-{secrets.token_hex(4)}"


@pytest.fixture
def nothing_left(under_test: EngineUnderTest) -> Iterator[None]:
    yield
    left = under_test.running.docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}")
    images = under_test.running.docker("images", "--all", "--quiet", "--filter", f"label={LABEL}")
    assert (left, images) == ("", "")
