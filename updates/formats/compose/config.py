"""What `docker compose config` prints: the files of a project in one, with variables put in. We read what an upgrade needs.

Every scalar is a text for us, as it stands there: no tag of YAML's makes anything else of it, and no merge key multiplies it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from portal.core.quoting import quoted
from updates.errors import ComposeRefused

LARGEST_BYTES: Final = 512 * 1024

_DEPTH: Final = 32
_MOST_SERVICES: Final = 1000
_LONGEST_TEXT: Final = 1024
_SERVICE_MODE: Final = "service:"
_UNSET: Final = re.compile(
    r'The \\?"?([A-Za-z_][A-Za-z0-9_]{0,127})\\?"? variable is not set', re.ASCII
)


@dataclass(frozen=True, slots=True)
class ComposeService:
    """One service. `image` is empty for one that is only built; `builds`: it has a `build` section.

    `network_mode` is `service:NAME` for one that lives in another service's network. What is not set is empty.
    """

    name: str
    image: str = ""
    pull_policy: str = ""
    builds: bool = False
    network_mode: str = ""
    container_name: str = ""
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ComposeConfig:
    """A project's services by name. `unset` are variables that the files use and nobody sets: empty texts are in their places."""

    services: Mapping[str, ComposeService]
    unset: tuple[str, ...] = ()

    def service(self, name: str) -> ComposeService:
        """The service of that name. ComposeRefused if the files have none."""
        if name not in self.services:
            raise ComposeRefused(
                "service-missing",
                f"The Compose files have no service {quoted(name)} any more: "
                "bring the project in line with them first (`up -d`).",
            )
        return self.services[name]

    def in_network_of(self, name: str) -> tuple[str, ...]:
        """The services that live in that one's network: they lose theirs when it is made anew."""
        mode = f"{_SERVICE_MODE}{name}"
        return tuple(other.name for other in self.services.values() if other.network_mode == mode)


def read_config(content: bytes, *, complaints: str = "") -> ComposeConfig:
    """What the YAML text says of services; `complaints` is what Compose wrote beside it. ComposeRefused if it is none of that."""
    root = _parsed(content)
    if not isinstance(root, dict) or not isinstance(root.get("services"), dict):
        raise _not_config("it has no services")
    services = root["services"]
    if len(services) > _MOST_SERVICES:
        raise _not_config(f"it has more than the {_MOST_SERVICES} services allowed")
    return ComposeConfig(
        services={
            _text(name, "a service's name"): _service(name, services[name]) for name in services
        },
        unset=tuple(dict.fromkeys(_UNSET.findall(complaints))),
    )


def _service(name: str, value: Any) -> ComposeService:  # noqa: ANN401 - a value of somebody's YAML
    if not isinstance(value, dict):
        raise _not_config(f"the service {quoted(str(name))} is no mapping")

    def text(key: str) -> str:
        return _text(value.get(key, ""), f"{key} of the service {quoted(name)}")

    depends = value.get("depends_on") or ()
    if not isinstance(depends, list | dict | tuple):
        raise _not_config(f"depends_on of the service {quoted(name)} is no list")
    return ComposeService(
        name=name,
        image=text("image"),
        pull_policy=text("pull_policy"),
        builds="build" in value,
        network_mode=text("network_mode"),
        container_name=text("container_name"),
        depends_on=tuple(
            _text(one, f"depends_on of the service {quoted(name)}") for one in depends
        ),
    )


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise _not_config(f"{what} is no short text")
    return value


class _Loader(yaml.BaseLoader):
    """PyYAML's loader that knows texts, lists and mappings alone, with a limit to how deep they stand in each other."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.depth >= _DEPTH:
            raise _not_config(f"it is nested more than {_DEPTH} deep")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _parsed(content: bytes) -> Any:  # noqa: ANN401 - a value of somebody's YAML
    if len(content) > LARGEST_BYTES:
        raise _not_config(f"it has more than the {LARGEST_BYTES} bytes allowed")
    try:
        return yaml.load(content.decode(), Loader=_Loader)  # noqa: S506 - makes texts only
    except UnicodeDecodeError:
        raise _not_config("it is not UTF-8") from None
    except (yaml.YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or "it breaks YAML's rules"
        raise _not_config(str(problem)) from None


def _not_config(why: str) -> ComposeRefused:
    return ComposeRefused(
        "config", f"What Compose printed as the project's configuration cannot be read: {why}."
    )
