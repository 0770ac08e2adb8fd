"""Where tests talk to a process: each line is a statement or an expression, and is answered with its value."""

from __future__ import annotations

import json
import os
import socketserver
import threading
from pathlib import Path
from typing import Any

names: dict[str, Any] = {}


class Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(json.dumps(obey(json.loads(line))).encode() + b"\n")


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def obey(order: dict[str, str]) -> dict[str, Any]:
    """The value of `value`, or what `run` raised."""
    try:
        if "run" in order:
            exec(order["run"], names)  # noqa: S102  for tests
            return {"value": None}
        return {"value": eval(order["value"], names)}  # noqa: S307  for tests
    except Exception as error:  # noqa: BLE001  the test is told
        return {"error": repr(error)}


def serve(*, is_aside: bool = False) -> None:
    """This process has a console in the folder of consoles, in a thread of its own if it has other things to do."""
    path = Path(os.environ["CONSOLES"]) / f"{os.getpid()}"
    early = path.with_name(f".{path.name}")
    server = Server(str(early), Talk)
    early.rename(path)
    if is_aside:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    else:
        server.serve_forever()
