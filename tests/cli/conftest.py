"""Commands as tests give them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from devices.models import Device
from portal.cli.output import GAP
from tests.environment.waiting import wait_until
from tests.journal.rows import brought_to, held, new_artifact
from updates.machine import Event, State
from updates.models import Artifact, Upgrade


@dataclass(frozen=True)
class Said:
    """What a command answered: its exit status, its words, and the sentence on stderr if it failed."""

    status: int
    out: str
    error: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def facts(self) -> dict[str, str]:
        """What is said in lines of a name and a text."""
        named = [line.split(GAP, 1) for line in self.lines if line[0] != " " and GAP in line]
        return {name: text.strip() for name, text in named}


def run(*words: str) -> Said:
    """`manage.py WORDS`, in this process."""
    out, noise = StringIO(), StringIO()
    try:
        call_command(*words, stdout=out, stderr=noise)
    except CommandError as error:
        return Said(error.returncode, out.getvalue(), str(error))
    return Said(0, out.getvalue(), noise.getvalue())


@pytest.fixture
def artifact(db: None) -> Artifact:
    return new_artifact("app-2")


@pytest.fixture
def device(db: None) -> Device:
    return new_box("box-1")


def new_box(name: str) -> Device:
    """A device that `app-2` fits."""
    return Device.objects.create(
        name=name,
        device_type="box",
        driver=Device.Driver.LOCAL,
        root="/nowhere",
        provides={"artifact_name": "app-1"},
    )


@contextmanager
def a_worker(*, orders: int = 1, download: Event = Event.DONE) -> Iterator[None]:
    """Takes up as many upgrades as are ordered inside the block, and brings them to their end."""
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(_work, orders, download)
        work.add_done_callback(_interrupt_if_failed)  # or the command would wait for ever
        yield
        work.result(timeout=30)


def _interrupt_if_failed(work: Future[None]) -> None:
    if work.exception() is not None:
        os.kill(os.getpid(), signal.SIGINT)


def _work(orders: int, download: Event) -> None:
    waiting = Upgrade.objects.filter(state=State.PENDING)
    try:
        for _ in range(orders):
            wait_until(waiting.exists, seconds=20, what="an order")
            journal = brought_to(State.DOWNLOADING, held(waiting.latest("created_at")))
            journal.output("Download", b"one\ntwo\n")
            while journal.state is not State.FINISHED:
                is_download = journal.state is State.DOWNLOADING
                journal.take(download if is_download else Event.DONE)
    finally:
        connections.close_all()
