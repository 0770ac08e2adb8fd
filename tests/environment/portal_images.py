"""The portal's own image, built by the project's Dockerfile, and stand-ins for the images that it and compose.yaml name.

No hub can be reached here. What stands in for python:3.11-slim-bookworm, postgres:15 and redis:7 is one small Debian with
their programs in it. It also holds all that the Dockerfile installs, so that the same Dockerfile builds without any network.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.environment.device_image import BUILD_SECONDS, CACHE, RELEASE
from tests.environment.docker import DockerEngine
from tests.environment.programs import need_root, program
from tests.environment.workdir import workdir

ROOT = Path(__file__).parents[2]
REPOSITORY = "fleetwright"
PACKAGES = (
    "ca-certificates",
    "docker-compose",
    "postgresql",
    "python3",
    "python3-venv",
    "redis-server",
)
# There is nobody to ask for more packages: what apt and pip are asked for is there.
STRIP = """\
set -e
rm -rf var/cache/apt usr/share/doc usr/share/locale usr/share/man var/lib/postgresql/15
rm -f etc/apt/sources.list
ln -sf python3 usr/bin/python
"""
ENVIRONMENT = (
    "ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels",
)
BASE = "python:3.11-slim-bookworm"
STAND_INS = {
    "postgres:15": """\
COPY start /start
ENTRYPOINT ["/bin/sh", "/start"]
""",
    "redis:7": """\
CMD ["redis-server"]
""",
}
START_POSTGRES = r"""
set -e
data=/var/lib/postgresql/data
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
mkdir -p "$data" /run/postgresql && chown postgres: "$data" /run/postgresql && chmod 700 "$data"
if [ ! -s "$data/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" >/tmp/password && chown postgres: /tmp/password
  as_postgres initdb -D "$data" -U "$POSTGRES_USER" --pwfile=/tmp/password \
    --locale=C.UTF-8 --auth=scram-sha-256 --auth-local=trust
  rm /tmp/password
  echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
  as_postgres pg_ctl -D "$data" -w -o "-c listen_addresses=" start
  as_postgres createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
  as_postgres pg_ctl -D "$data" -w stop
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups \
  postgres -D "$data" -c listen_addresses='*' -c fsync=off
"""


def portal_image(engine: DockerEngine, version: str) -> str:
    """The engine has the portal's image of that version, and the others of compose.yaml; the reference of the portal's."""
    bring_stand_ins(engine)
    reference = f"{REPOSITORY}:{version}"
    _build(engine, "--build-arg", f"VERSION={version}", "--tag", reference, str(ROOT))
    return reference


def bring_stand_ins(engine: DockerEngine) -> None:
    """The engine has what stands in for the images of others."""
    if engine.attempt("image", "inspect", *STAND_INS).returncode == 0:
        return
    changes = [word for line in ENVIRONMENT for word in ("--change", line)]
    engine.docker("import", *changes, str(base_file()), BASE)
    for name, lines in STAND_INS.items():
        folder = workdir() / "stand-in"
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text(f"FROM {BASE}\n{lines}")
        (folder / "start").write_text(START_POSTGRES)
        _build(engine, "--tag", name, str(folder))


def base_file() -> Path:
    """A tar file of the stand-in's tree; made on first use (two minutes), kept until the recipe or the requirements change."""
    requirements = (ROOT / "requirements.txt").read_bytes()
    recipe = repr((RELEASE, PACKAGES, STRIP)).encode() + requirements
    path = CACHE / f"portal-base-{hashlib.sha256(recipe).hexdigest()[:16]}.tar"
    if path.exists():
        return path
    need_root("making the file tree of images")
    program("debootstrap", package="debootstrap")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "portal-base.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            for old in CACHE.glob("portal-base-*.tar"):
                old.unlink()
            _make(path)
    return path


def _make(path: Path) -> None:
    draft = path.with_suffix(".draft")
    tree = workdir() / "portal-base"
    wanted = f"--include={','.join(PACKAGES)}"
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps"]
    try:
        _run("debootstrap", "--variant=minbase", wanted, RELEASE, str(tree))
        _run("sh", "-c", STRIP, folder=tree)
        _run(*download, "--dest", str(tree / "wheels"), "--requirement", str(_for_any_python()))
        _run("tar", "--create", "--numeric-owner", f"--file={draft}", "--directory", str(tree), ".")
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
        shutil.rmtree(tree, ignore_errors=True)


def _for_any_python() -> Path:
    """The requirements without their conditions: the Python that downloads them is another than the one that gets them."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    asked = [re.sub(r" ; .*(?= \\$)", "", line) for line in lines]
    path = workdir() / "requirements.txt"
    path.write_text("\n".join(asked))
    return path


def _build(engine: DockerEngine, *arguments: str) -> None:
    _run(
        *("docker", "--host", engine.url, "build", "--quiet", *arguments),
        # The engine's own builder: the other one is not everywhere, and wants to fetch a part of itself.
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
    )


def _run(*command: str, folder: Path | None = None, env: dict[str, str] | None = None) -> None:
    finished = subprocess.run(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if finished.returncode:
        last_words = finished.stdout.decode(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(command[:4])} failed:\n{last_words}")
