"""What module updates need around them: a registry with a maker's module in it, and devices that run it."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from tests.environment.device_container import DeviceContainer
from tests.environment.docker import DockerEngine
from tests.environment.registry import Registry
from tests.modules.mymodule import MyModule

DEVICE_TYPE = "ns8-node"

_numbers = count(1)


class Stage:
    """One registry, one maker, and an `engine` that devices have as their own, which may be another than they run on."""

    def __init__(
        self, engine: DockerEngine, folder: Path, *, runs_on: DockerEngine | None = None
    ) -> None:
        self.engine = engine
        self._runs_on = runs_on or engine
        self.registry = Registry(folder)
        self.registry.start()
        self.registry.show_to(engine)
        self.module = MyModule(engine, self.registry)
        self._devices: list[DeviceContainer] = []

    def device(self, number: int = 0) -> DeviceContainer:
        """The device of that number; booted when it is asked for first, and kept."""
        while len(self._devices) <= number:
            name = f"node{next(_numbers)}"
            self._devices.append(
                DeviceContainer(
                    self._runs_on, name=name, device_type=DEVICE_TYPE, own_engine=self.engine
                )
            )
        return self._devices[number]

    def remove(self) -> None:
        """Nothing is left of it."""
        for device in self._devices:
            device.remove()
        self.registry.remove()
