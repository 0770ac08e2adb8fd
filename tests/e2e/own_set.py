"""The production set with its overlay, from a registry that holds the portal's own image in good and in bad versions."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from tests.e2e.production import PROJECT, START_SECONDS, Production
from tests.environment.docker import DockerEngine
from tests.environment.portal_images import ROOT, portal_image
from tests.environment.registry import Registry
from tests.environment.waiting import wait_until

FIRST: Final = "1.0.0"
SECOND: Final = "2.0.0"
UNWELL: Final = "3.0.0"
"""It starts, and never answers."""
SPOILS: Final = "4.0.0"
"""Its migration changes the database, and then fails."""
SPOILT: Final = "left_behind"
"""The table that it leaves."""
MIGRATION: Final = f"""\
from django.db import migrations

def fail(apps, schema_editor):
    raise RuntimeError("this migration fails")

class Migration(migrations.Migration):
    atomic = False
    dependencies = [("updates", "{{last}}")]
    operations = [
        migrations.RunSQL("CREATE TABLE {SPOILT} (id integer)"),
        migrations.RunPython(fail),
    ]
"""
LOOK: Final = """\
import json
from django.conf import settings
from django.db import connection
from updates.models import Upgrade
rows = Upgrade.objects.filter(instance__watched__is_portal=True).order_by("-created_at")
print("found", json.dumps({
    "upgrades": [[one.to_version.rpartition(":")[2], one.state, one.outcome, one.error, one.warning] for one in rows],
    "tables": connection.introspection.table_names(),
    "version": settings.VERSION,
}))
"""
HURRY: Final = """\
from updates.models import WatchedContainer
print("found", WatchedContainer.objects.filter(is_portal=True).update(health_seconds={seconds}))
"""
PATIENCE_SECONDS: Final = 900


class OwnSet:
    """What runs is the first version, deployed as `latest`. `production` is its Compose project."""

    def __init__(self, engine: DockerEngine, place: Path) -> None:
        self.engine = engine
        secret = token_hex()
        self.registry = Registry(place / "registry", users={"fleet": secret})
        self.registry.start()
        self.registry.show_to(engine)
        self._config = place / "docker"
        words = ("login", "--username", "fleet", "--password-stdin", self.registry.host)
        self._docker(*words, stdin=secret.encode())
        self.image = f"{self.registry.host}/fleetwright"
        self._release(FIRST, base=portal_image(engine, FIRST))
        self._release(SECOND)
        idle = "import signal, sys, time; signal.signal(15, sys.exit); time.sleep(99999)"
        self._release(UNWELL, run=f"printf '{idle}' >/app/manage.py")
        last = max(path.stem for path in (ROOT / "updates/migrations").glob("0*.py"))
        spoils = MIGRATION.format(last=last).replace("\n", "\\n").replace('"', '\\"')
        self._release(SPOILS, run=f'printf "{spoils}" >/app/updates/migrations/9999_spoils.py')
        engine.docker("tag", f"{self.image}:{FIRST}", f"{self.image}:latest")
        self.production = Production(
            engine, place / "set", version="latest", image=self.image,
            REGISTRY_LOGINS=str(self._config / "config.json"),
        )  # fmt: skip

    def _release(self, version: str, *, base: str = "", run: str = "") -> None:
        lines = [f"FROM {base or f'{self.image}:{FIRST}'}", f"ENV FLEETWRIGHT_VERSION={version}"]
        lines.append(f'LABEL org.opencontainers.image.version="{version}"')
        if run:
            lines += ["USER root", f"RUN {run}", "USER fleetwright"]
        reference = f"{self.image}:{version}"
        self.engine.docker(
            "build", "--quiet", "--tag", reference, "-", stdin="\n".join(lines).encode()
        )
        self._docker("push", "--quiet", reference)

    def _docker(self, *arguments: str, stdin: bytes = b"") -> None:
        """With Docker's own file for the logins, which the watchdog is to read, too."""
        self.engine.docker("--config", str(self._config), *arguments, stdin=stdin)

    def remove(self) -> None:
        """Nothing is left of it but images."""
        self.production.remove()
        self.registry.remove()

    def be_well_within(self, seconds: int) -> None:
        """The portal knows itself, and that a new version of it has so long to become healthy."""
        script = HURRY.format(seconds=seconds)
        wait_until(
            lambda: self._python(script).partition("found ")[2].strip() == "1",
            seconds=START_SECONDS,
            what="the portal knows itself",
        )

    def _python(self, script: str) -> str:
        words = ("exec", "-T", "scheduler", "python", "manage.py", "shell", "-v0", "-c", script)
        return self.production.compose(*words, upgrades=True)

    def back_up(self) -> dict[str, Any]:
        """A backup that somebody asked for in a shell, as the portal has it on record once it is over."""
        # Data that were put back say that their own backup is being made still, and so it is made once more.
        wait_until(
            lambda: all(map(_is_over, self._backups())), seconds=START_SECONDS, what="the last one"
        )
        self._manage("backup", "now", "fleetwright", "--reason", "Before the weekend")
        return wait_until(
            lambda: next(filter(_is_over, self._backups()[:1]), {}),
            seconds=START_SECONDS,
            what="a backup of the portal",
        )

    def _backups(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(
            self._manage("backup", "list", "fleetwright", "--json")
        )
        return rows

    def leave_mark(self) -> None:
        """There is something in the database and in the volume that no backup of before has."""
        self._python(
            "from django.contrib.auth.models import User; User.objects.create(username='mark')"
        )
        words = ("exec", "-T", "scheduler", "touch", "/data/mark")
        self.production.compose(*words, upgrades=True)

    def has_mark(self) -> bool:
        """Whether both are there; AssertionError for one alone."""
        script = "from django.contrib.auth.models import User; import pathlib; "
        script += "print('found', [User.objects.filter(username='mark').exists(), pathlib.Path('/data/mark').exists()])"
        found = json.loads(self._python(script).partition("found ")[2].lower())
        assert found[0] == found[1], found
        return bool(found[0])

    def put_back_by_hand(self, backup: str) -> None:
        """What `portal/docs/portal-backups.md` says was done, with that backup."""
        said = (ROOT / "portal/docs/portal-backups.md").read_text().split("```sh\n")[2]
        subprocess.run(
            ["sh", "-c", said.partition("```")[0]],
            cwd=self.production.folder,
            env={
                "PATH": os.environ["PATH"], "DOCKER_HOST": self.engine.url, "backup": backup,
                "DOCKER_CONFIG": str(self._config),
            },
            check=True,
            timeout=START_SECONDS,
        )  # fmt: skip
        wait_until(
            lambda: self.production.ask("/readyz") == (200, "ready"),
            seconds=START_SECONDS,
            what="the portal is ready",
        )

    def files_in(self, backup: str) -> list[str]:
        """What that file holds, which is for the watchdog's eyes alone."""
        command = ("exec", "fleetwright-upgrader", "python", "-m", "tarfile", "-l", backup)
        return self.engine.docker(*command).split()

    def _manage(self, *words: str) -> str:
        command = ("exec", "-T", "scheduler", "python", "manage.py", *words)
        return self.production.compose(*command, upgrades=True)

    def look(self) -> dict[str, Any]:
        """The portal's own upgrades, newest first; its database's tables; the version that answers. Empty while it is away."""
        try:
            found: dict[str, Any] = json.loads(self._python(LOOK).partition("found ")[2])
        except (RuntimeError, ValueError):
            return {}
        return found

    def newest_over(self, version: str) -> dict[str, Any]:
        """As `look`, once the newest upgrade is to that version and over."""
        end = time.monotonic() + PATIENCE_SECONDS
        seen: dict[str, Any] = {}
        while time.monotonic() < end:
            seen = self.look()
            if seen and seen["upgrades"] and seen["upgrades"][0][:2] == [version, "finished"]:
                return seen
            time.sleep(2)
        raise AssertionError(f"{seen}\n{self.watchdogs_log()}")

    def watchdogs_log(self) -> str:
        return self.engine.docker("logs", "--tail", "60", "fleetwright-upgrader")

    def versions(self) -> dict[str, str]:
        """The version of each of the portal's containers that runs, the watchdog's among them."""
        form = '{{.Names}} {{.Label "org.opencontainers.image.version"}}'
        ours = f"label=com.docker.compose.project={PROJECT}"
        lines = self.engine.docker("ps", "--format", form, "--filter", ours).splitlines()
        return {
            name: version for name, _, version in (line.partition(" ") for line in lines) if version
        }


def _is_over(backup: dict[str, Any]) -> bool:
    return bool(backup["taken_at"] or backup["error"])
