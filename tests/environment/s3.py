"""A private S3 server on loopback (moto's), which keeps everything in memory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from portal.supervisor import ports
from tests.environment.child import Child
from tests.environment.ports import free_port
from tests.environment.waiting import wait_until

HOST = "127.0.0.1"
START_SECONDS = 60
KEYS = {"AWS_ACCESS_KEY_ID": "key-of-these-tests", "AWS_SECRET_ACCESS_KEY": "s3cret-of-these-tests"}
"""It takes any; what is asked without one, it refuses."""


class S3Server:
    """Answers at `url`. Stopped means emptied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"http://{HOST}:{self._port}"
        self.start()

    def start(self) -> None:
        """The server answers, at the same address as before."""
        self._child = Child(
            [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self._port)],
            log=self._folder / "s3.log",
        )
        wait_until(
            lambda: ports.listens(HOST, self._port) or not self._child.running,
            seconds=START_SECONDS,
            what=self.url,
        )
        assert self._child.running, self._child.tail()

    def stop(self) -> None:
        """Its clients see refused connections."""
        self._child.stop()

    def client(self) -> Any:  # noqa: ANN401 - made by boto3 at run time
        """A client of the tests' own, to see what is really there."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}),
        )

    def new_bucket(self, name: str) -> str:
        """A bucket, and the STORAGE_URL that names it."""
        self.client().create_bucket(Bucket=name)
        return f"s3://{name}/fleet?endpoint={self.url}&region=us-east-1&addressing=path"
