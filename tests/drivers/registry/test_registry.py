"""What a real registry says of images that a real engine pushed to it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from devices.drivers.engine import Platform, RegistryLogin
from devices.drivers.registry import resolve, tags
from devices.errors import (
    BadReference,
    NoSuchPlatform,
    NotInRegistry,
    RegistryRefused,
    RegistryUnreachable,
)
from tests.environment.certificates import certified
from tests.environment.docker import DockerEngine
from tests.environment.module_images import push_image
from tests.environment.registry import Registry, TokenAuth
from tests.environment.token_server import TokenServer
from tests.environment.workdir import workdir

AMD64 = Platform("linux", "amd64")
LABELS = {"org.nethserver.images": "one/a:1  two/b:2", "quoted": 'a "b" $c'}
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def test_a_tag_is_resolved_to_what_a_pull_would_bring(
    docker_engine: DockerEngine, registry: Registry, name: str
) -> None:
    reference = f"{registry.host}/{name}:1"
    files = {"data": name * 1000}
    digest = push_image(docker_engine, reference, files, labels=LABELS, keep=True)
    inspected = json.loads(docker_engine.docker("inspect", reference))[0]
    found = resolve(reference, platform=AMD64, login=None)
    assert (found.digest, found.image_id) == (digest, inspected["Id"])
    assert found.labels == LABELS
    assert found.platform == Platform(inspected["Os"], inspected["Architecture"])
    assert 0 < found.size < 20_000
    assert resolve(f"{registry.host}/{name}@{digest}", platform=AMD64, login=None) == found
    assert resolve(f"{registry.host}/{name}:nr@{digest}", platform=AMD64, login=None) == found


def test_an_image_for_one_platform_is_taken_for_any_and_says_which(
    docker_engine: DockerEngine, registry: Registry, name: str
) -> None:
    reference = f"{registry.host}/{name}:1"
    push_image(docker_engine, reference, {"a": name})
    found = resolve(reference, platform=Platform("linux", "s390x"), login=None)
    assert found.platform.architecture != "s390x"


INDEXED = [
    ("linux", "amd64", None),
    ("linux", "arm", "v5"),
    ("linux", "arm", "v6"),
    ("linux", "arm64", "v8"),
    ("unknown", "unknown", None),
]


@pytest.fixture
def indexed(docker_engine: DockerEngine, registry: Registry, name: str) -> str:
    """A reference to an index; each of its images has its platform as a label."""
    entries = []
    for number, (system, architecture, variant) in enumerate(INDEXED):
        reference = f"{registry.host}/{name}:{number}"
        label = f"{system}/{architecture}/{variant}"
        digest = push_image(docker_engine, reference, {"a": label}, labels={"for": label})
        size = len(_manifest(registry, name, str(number)))
        platform = {"os": system, "architecture": architecture}
        if variant:
            platform["variant"] = variant
        entries.append(
            {"mediaType": MANIFEST, "digest": digest, "size": size, "platform": platform}
        )
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    put = requests.put(
        f"http://{registry.host}/v2/{name}/manifests/all",
        data=json.dumps(index),
        headers={"Content-Type": INDEX},
        timeout=10,
    )
    assert put.status_code == 201, put.text
    return f"{registry.host}/{name}:all"


def _manifest(registry: Registry, name: str, tag: str) -> bytes:
    url = f"http://{registry.host}/v2/{name}/manifests/{tag}"
    return requests.get(url, headers={"Accept": MANIFEST}, timeout=10).content


def test_of_an_index_the_entry_is_taken_that_an_engine_would_take(
    docker_engine: DockerEngine, indexed: str
) -> None:
    wanted = {
        Platform("linux", "amd64"): "linux/amd64/None",
        Platform("linux", "amd64", "v2"): "linux/amd64/None",
        Platform("linux", "arm", "v7"): "linux/arm/v6",
        Platform("linux", "arm", "v6"): "linux/arm/v6",
        Platform("linux", "arm", "v5"): "linux/arm/v5",
        Platform("linux", "arm"): "linux/arm/v6",
        Platform("linux", "arm64"): "linux/arm64/v8",
        Platform("linux", "arm64", "v8"): "linux/arm64/v8",
    }
    found = {ours: resolve(indexed, platform=ours, login=None) for ours in wanted}
    assert {ours: manifest.labels["for"] for ours, manifest in found.items()} == wanted
    # What the engine keeps as the image's digest is the index's.
    docker_engine.docker("pull", indexed)
    kept = docker_engine.docker("inspect", "--format={{index .RepoDigests 0}} {{.Id}}", indexed)
    amd64 = found[Platform("linux", "amd64")]
    assert kept == f"{indexed.rpartition(':')[0]}@{amd64.digest} {amd64.image_id}"


def test_a_platform_that_an_index_does_not_have_is_an_error_that_names_those_it_has(
    indexed: str,
) -> None:
    there = ["linux/amd64", "linux/arm/v5", "linux/arm/v6", "linux/arm64/v8"]
    for ours in (Platform("linux", "riscv64"), Platform("windows", "amd64")):
        with pytest.raises(NoSuchPlatform, match=f"is not there for {ours}, but for") as missing:
            resolve(indexed, platform=ours, login=None)
        assert missing.value.platforms == there


def test_what_is_not_there_is_said_in_the_registrys_words(registry: Registry, name: str) -> None:
    for missing in (f"{name}:1", f"{name}@sha256:{'0' * 64}"):
        with pytest.raises(NotInRegistry, match="has no such image: manifest unknown"):
            resolve(f"{registry.host}/{missing}", platform=AMD64, login=None)
    with pytest.raises(BadReference):
        resolve(f"{registry.host}/../{name}", platform=AMD64, login=None)


def test_a_registry_with_names_and_passwords_wants_the_right_ones(
    docker_engine: DockerEngine, name: str
) -> None:
    guarded = Registry(workdir() / name, users={"oper": "geheim:ü"})
    guarded.start()
    guarded.show_to(docker_engine)
    reference = f"{guarded.host}/{name}:1"
    digest = push_image(docker_engine, reference, {"a": name}, login=("oper", "geheim:ü"))
    right = RegistryLogin("oper", "geheim:ü")
    assert resolve(reference, platform=AMD64, login=right).digest == digest
    with pytest.raises(RegistryRefused, match="wants a login; none is stored"):
        resolve(reference, platform=AMD64, login=None)
    with pytest.raises(RegistryRefused, match="does not let us in: authentication required"):
        resolve(reference, platform=AMD64, login=RegistryLogin("oper", "wrong"))
    guarded.remove()


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    server = TokenServer({"oper": "geheim"})
    yield server
    server.stop()


def test_a_registry_with_tokens_gets_one_for_our_name(
    docker_engine: DockerEngine, registry: Registry, name: str, tokens: TokenServer
) -> None:
    auth = TokenAuth(realm=tokens.realm, certificate=tokens.signer.authority)
    guarded = Registry(workdir() / name, tokens=auth, data=registry.data)
    guarded.start()
    digest = push_image(docker_engine, f"{registry.host}/{name}:1", {"a": name})
    reference = f"{guarded.host}/{name}:1"
    login = RegistryLogin("oper", "geheim")
    assert resolve(reference, platform=AMD64, login=login).digest == digest
    with pytest.raises(RegistryRefused, match="incorrect username or password"):
        resolve(reference, platform=AMD64, login=None)
    with pytest.raises(RegistryRefused, match="incorrect username or password"):
        resolve(reference, platform=AMD64, login=RegistryLogin("oper", "wrong"))
    tokens.is_open = True
    assert resolve(reference, platform=AMD64, login=None).digest == digest
    guarded.remove()


def test_a_registry_elsewhere_is_spoken_to_by_tls_whose_certificate_is_trusted(
    docker_engine: DockerEngine,
    registry: Registry,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = docker_engine.machine_address
    certificate = certified(address)
    (authority := workdir() / f"{name}.pem").write_text(certificate.authority)
    digest = push_image(docker_engine, f"{registry.host}/{name}:1", {"a": name})
    secured = Registry(workdir() / name, tls=certificate, data=registry.data, address=address)
    secured.start()
    with pytest.raises(RegistryUnreachable, match="certificate of the registry"):
        resolve(f"{secured.host}/{name}:1", platform=AMD64, login=None)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    assert resolve(f"{secured.host}/{name}:1", platform=AMD64, login=None).digest == digest
    secured.remove()
    plain = Registry(workdir() / name, data=registry.data, address=address)
    plain.start()
    with pytest.raises(RegistryUnreachable, match="or it speaks no TLS"):
        resolve(f"{plain.host}/{name}:1", platform=AMD64, login=None)
    plain.remove()


def test_a_registry_that_is_down_or_hangs_is_unreachable(registry: Registry, name: str) -> None:
    registry.hang()
    with pytest.raises(RegistryUnreachable, match="has not answered in time"):
        resolve(f"{registry.host}/{name}:1", platform=AMD64, login=None, limit_seconds=1)
    registry.go_on()
    registry.stop()
    with pytest.raises(RegistryUnreachable, match="cannot be reached"):
        resolve(f"{registry.host}/{name}:1", platform=AMD64, login=None)
    registry.start()


def test_all_tags_are_listed_also_where_the_list_has_pages(
    docker_engine: DockerEngine, registry: Registry, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ["1.0.0", "2.0.0-rc.1", "latest"]
    for tag in wanted:
        push_image(docker_engine, f"{registry.host}/{name}:{tag}", {"a": name})
    assert sorted(tags(f"{registry.host}/{name}", login=None)) == wanted
    monkeypatch.setattr("devices.drivers.registry_talk._ROWS", 2)
    assert sorted(tags(f"{registry.host}/{name}", login=None)) == wanted


def test_a_repository_that_is_not_there_has_no_tags(registry: Registry) -> None:
    with pytest.raises(NotInRegistry):
        tags(f"{registry.host}/nothing/here", login=None)
    with pytest.raises(BadReference):
        tags("No Name", login=None)
