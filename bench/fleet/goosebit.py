"""goosebit, a Python peer, as it comes: SQLite, and one process, in which its cache is. Its devices speak hawkBit's DDI API."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from bench.fleet.processes import cpu_seconds
from portal.simulator.errors import Trouble
from portal.simulator.tally import Tally
from portal.simulator.wire import Wire
from tests.environment.child import Child
from tests.environment.ports import free_port
from tests.environment.waiting import wait_until

REQUIREMENTS: Final = Path(__file__).resolve().parent.parent / "goosebit.txt"
START_SECONDS: Final = 60
MODEL: Final = "bench"
LOGIN: Final = "bench@example.invalid"
JSON: Final = {"Content-Type": "application/json"}
FEEDBACK: Final = "feedback"


class Goosebit:
    """A fresh one, which runs, and whose devices are registered."""

    name = "goosebit"

    def __init__(
        self, folder: Path, *, environment: Path, devices: int, payload_bytes: int
    ) -> None:
        """`environment`: a virtual environment of its own, which is made if it is not there."""
        self.tally = Tally()
        self._payload_bytes = payload_bytes
        self._versions = count(2)
        self._rollout = 0
        folder.mkdir(parents=True)
        python = _environment(environment)
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        self._wire = Wire(address, self.tally)
        variables = _variables(folder)
        _make_tables(python, folder, variables)
        self._child = Child(
            ["env", "-C", str(folder), *(f"{name}={value}" for name, value in variables.items()),
             str(python), "-m", "uvicorn", "--host=127.0.0.1", f"--port={port}", "goosebit:app"],
            log=folder / "log",
        )  # fmt: skip
        wait_until(self._answers, seconds=START_SECONDS, what="goosebit's first answer")
        self._token = self._sign_up()
        for number in range(devices):
            self._register(number)

    def order(self) -> None:
        version = f"0.0.{next(self._versions)}"
        boundary = secrets.token_hex(8)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{version}.swu"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = (
            head.encode()
            + _image(version, self._payload_bytes)
            + f"\r\n--{boundary}--\r\n".encode()
        )
        media = f"multipart/form-data; boundary={boundary}"
        software = self._manage("PUT", "/api/v1/software", body, {"Content-Type": media})
        words = {"name": version, "feed": "default", "software_id": software["id"]}
        rollout = self._manage("PUT", "/api/v1/rollouts", json.dumps(words).encode(), JSON)
        self._rollout = rollout["id"]

    def update(self, number: int) -> None:
        found = self._ask("poll", "GET", _device(number))
        address = urlsplit(found["_links"]["deploymentBase"]["href"]).path
        action = self._ask("deployment", "GET", address)
        artifact = action["deployment"]["chunks"][0]["artifacts"][0]
        self._report(address, action["id"], "proceeding", "none")
        with self._wire.open(artifact["_links"]["download"]["href"], start=0) as response:
            content = response.read()
        digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        if digest != artifact["hashes"]["sha1"]:
            raise RuntimeError("goosebit sent something else than it announced.")
        self._report(address, action["id"], "closed", "success")
        self.tally.count("succeeded")

    def poll(self, number: int) -> None:
        if self._ask("poll", "GET", _device(number))["_links"]:
            raise RuntimeError("goosebit has something to do for a device that is done.")

    def counted(self) -> int:
        rollouts = self._manage("GET", "/api/v1/rollouts", b"", {})["rollouts"]
        return next(int(each["success_count"]) for each in rollouts if each["id"] == self._rollout)

    def server_cpu_seconds(self) -> float:
        return cpu_seconds(self._child.pid)

    def close(self) -> None:
        self._child.stop()

    def _register(self, number: int) -> None:
        """One after the other: two first polls at once make it forget which hardware is which, for good."""
        self._ask("register", "GET", _device(number))
        data = {"hw_boardname": MODEL, "hw_revision": "1", "sw_version": "0.0.1"}
        self._ask("register", "PUT", f"{_device(number)}/configData", {"data": data})

    def _report(self, address: str, action: str, execution: str, finished: str) -> None:
        status = {"execution": execution, "result": {"finished": finished}, "details": ["bench"]}
        self._ask("status", "POST", f"{address}/{FEEDBACK}", {"id": action, "status": status})

    def _ask(self, what: str, method: str, path: str, words: object = None) -> Any:  # noqa: ANN401 - JSON
        body = b"" if words is None else json.dumps(words).encode()
        answer = self._wire.ask(what, method, path, body=body, headers=JSON)
        if answer.status != 200:
            raise RuntimeError(f"goosebit answers {answer.status} to {method} {path}.")
        return json.loads(answer.body)

    def _manage(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        own = {"Authorization": f"Bearer {self._token}", **headers}
        answer = self._wire.ask("manage", method, path, body=body, headers=own)
        if answer.status != 200:
            raise RuntimeError(f"goosebit answers {answer.status} to {method} {path}.")
        return json.loads(answer.body)

    def _sign_up(self) -> str:
        form = urlencode({"username": LOGIN, "password": secrets.token_hex(8)}).encode()
        media = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._wire.ask("manage", "POST", "/setup", body=form, headers=media)
        return str(json.loads(answer.body)["access_token"])

    def _answers(self) -> bool:
        if not self._child.running:
            raise RuntimeError(f"goosebit does not start:\n{self._child.tail()}")
        try:
            return self._wire.ask("start", "GET", "/docs", body=b"", headers={}).status == 200
        except Trouble:
            return False


def _device(number: int) -> str:
    return f"/DEFAULT/controller/v1/device-{number:05}"


def _image(version: str, payload_bytes: int) -> bytes:
    """The smallest that it takes: a cpio archive whose first member describes it, and bytes that nobody looks into."""
    words = (
        f'software = {{ version = "{version}"; {MODEL} = {{ hardware-compatibility = [ "1" ]; }}; }};\n'
    ).encode()
    name = b"sw-description\0"
    numbers = (0, 0o100644, 0, 0, 1, 0, len(words), 0, 0, 0, 0, len(name), 0)
    head = b"070702" + b"".join(b"%08X" % number for number in numbers)
    described = head + name + bytes(-(len(head) + len(name)) % 4) + words
    return described + secrets.token_bytes(payload_bytes)


def _variables(folder: Path) -> dict[str, str]:
    return {
        "GOOSEBIT_DB_URI": f"sqlite://{folder / 'db.sqlite3'}",
        "GOOSEBIT_ARTIFACTS_DIR": str(folder / "artifacts"),
        "PATH": "/usr/bin:/bin",
    }


def _make_tables(python: Path, folder: Path, variables: Mapping[str, str]) -> None:
    site = subprocess.run(
        [python, "-c", "import goosebit; print(goosebit.__path__[0])"],
        capture_output=True, text=True, check=True, cwd=folder, env=dict(variables),
    ).stdout.splitlines()[-1]  # fmt: skip
    config = (
        '[tool.aerich]\ntortoise_orm = "goosebit.db.config.TORTOISE_CONF"\n'
        f'location = "{site}/db/migrations"\nsrc_folder = "."\n'
    )
    (folder / "pyproject.toml").write_text(config)
    subprocess.run(
        [python.with_name("aerich"), "upgrade"],
        capture_output=True, text=True, check=True, cwd=folder, env=dict(variables),
    )  # fmt: skip


def _environment(folder: Path) -> Path:
    """Its Python. What `goosebit.txt` pins is installed there, and nothing else."""
    stamp, wanted = folder / "requirements.txt", REQUIREMENTS.read_text()
    python = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install",
             "--require-hashes", "-r", REQUIREMENTS],
            check=True, stdout=sys.stderr,
        )  # fmt: skip
        stamp.write_text(wanted)
    return python.absolute()
