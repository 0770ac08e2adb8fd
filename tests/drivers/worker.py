"""A worker that runs one step and can be killed: started as a program, told what to do on its standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from devices.drivers.steps import Holder, StepSpec, run_step
from tests.drivers.device import Device
from tests.drivers.sshd import RunningSshd


def told(order: dict[str, Any]) -> tuple[Device, StepSpec, Holder]:
    sshd = None
    if order["port"] is not None:
        sshd = RunningSshd(
            host="127.0.0.1",
            port=order["port"],
            user=order["user"],
            client_key_pem=order["client_key"],
            host_key=order["host_key"],
        )
    device = Device(kind=order["kind"], root=Path(order["root"]), sshd=sshd)
    return device, StepSpec(**order["step"]), Holder(**order["holder"])


def main() -> None:
    device, spec, holder = told(json.load(sys.stdin))
    with device.shell() as shell:
        end = run_step(shell, spec, holder=holder, limit_seconds=60)
    json.dump({"status": end.status, "bytes": end.output_bytes_total}, sys.stdout)


if __name__ == "__main__":
    main()
