"""The programs that the portal consists of, besides Redis."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from django.conf import settings

from portal.supervisor import ports
from portal.supervisor.certificate import Certificate
from portal.supervisor.program import Program

WEB_GRACE_SECONDS: Final = 15.0
HAND_OVER_SECONDS: Final = 30.0
"""How long a worker's job may take to reach a point where it can be left. Later it is cut off; the next worker attaches."""
SCHEDULER_GRACE_SECONDS: Final = 10.0
WORKER_TTL_SECONDS: Final = 30
"""RQ writes a worker off this long after its last sign of life (and 60 s more). Short, so that /readyz tells the truth."""


def web(*, host: str, port: int, certificate: Certificate | None = None) -> Program:
    """The web server: few processes with many threads, since most of a request's time is the database's, or a slow client's.

    With a certificate it speaks TLS, and nothing else.
    """
    options = {
        "--interface": "wsgi",
        "--host": host,
        "--port": str(port),
        "--workers": str(settings.WEB_PROCESSES),
        "--blocking-threads": str(settings.WEB_THREADS),
        "--workers-kill-timeout": f"{WEB_GRACE_SECONDS - 5:.0f}",
        "--log-level": "warning",
    }
    if certificate is not None:
        options["--ssl-certificate"] = str(certificate.certificate)
        options["--ssl-keyfile"] = str(certificate.key)
    words = (word for option in options.items() for word in option)
    return Program(
        name="web",
        command=(sys.executable, "-m", "granian", *words, "--no-ws", "portal.wsgi:application"),
        grace_seconds=WEB_GRACE_SECONDS,
        is_ready=lambda: ports.listens(host, port),
    )


def worker(number: int, *, folder: Path) -> Program:
    """A worker: carries out one upgrade at a time."""
    return Program(
        name=f"worker-{number}",
        command=_manage(
            folder, "rqworker", "updates", "--verbosity=0", f"--worker-ttl={WORKER_TTL_SECONDS}"
        ),
        grace_seconds=HAND_OVER_SECONDS,
    )


def scheduler(*, every_seconds: int, folder: Path) -> Program:
    """Puts back on the queue what should run and does not: at the start, and again and again."""
    return Program(
        name="scheduler",
        command=_manage(folder, "recover", f"--every={every_seconds}"),
        grace_seconds=SCHEDULER_GRACE_SECONDS,
    )


def _manage(folder: Path, *words: str) -> tuple[str, ...]:
    return (sys.executable, str(folder / "manage.py"), *words)
