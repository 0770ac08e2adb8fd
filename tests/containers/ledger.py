"""A service as its maker has it: a ledger that keeps books in a volume, in versions that differ and in some that are no good."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tests.environment.docker import DockerEngine
from tests.environment.manifests import retag
from tests.environment.module_images import Entry, busybox_files, push_image
from tests.environment.registry import Registry

PORT: Final = 8080
# A schema for each major version: an older ledger refuses books that a newer one has migrated.
SERVE: Final = """\
#!/bin/sh
mine=$(cat /version)
had=$(cat /data/schema 2>/dev/null || echo "${mine%%.*}")
if [ "$had" -gt "${mine%%.*}" ]; then
  echo "the books have schema $had, which $mine does not know" >&2
  exit 1
fi
. /before
if [ "$had" != "${mine%%.*}" ]; then echo "migrated from $had by $mine" >>/data/book; fi
echo "${mine%%.*}" >/data/schema
mkdir -p /www
echo "ledger $mine says $GREETING" >/www/index.html
trap 'kill $!; exit 0' TERM
busybox httpd -f -p "${LISTEN:-0.0.0.0}:8080" -h /www &
. /after
wait
"""
HEALTHY: Final = """\
#!/bin/sh
wget -q -O /dev/null "http://${LISTEN:-127.0.0.1}:8080/"
"""
CHECK: Final = "HEALTHCHECK --interval=1s --timeout=2s --retries=2 CMD /healthy"
RUNS: Final = 'ENV PATH=/bin MADE_BY=acme\nVOLUME /scratch\nEXPOSE 8080\nCMD ["/serve"]'


@dataclass(frozen=True, slots=True)
class Version:
    """What differs: shell words `before` it migrates the books, and `after` it has begun to answer."""

    number: str
    before: str = ""
    after: str = ""
    has_check: bool = True


V1: Final = Version("1.0.0")
V1_1: Final = Version("1.1.0")
V2: Final = Version("2.0.0")
SLOW: Final = Version("2.1.0", before="sleep 6")
UNWELL: Final = Version("3.0.0", after="echo 'exit 1' >/healthy; echo 'no licence' >&2")
ENDS: Final = Version("3.1.0", before="echo 'no licence' >&2; exit 3")
ENDS_WELL: Final = Version("3.2.0", before="exit 0")
SPOILS: Final = Version("3.3.0", before="echo garbage >/data/book; rm -f /data/gold; exit 1")
LOOPS: Final = Version("3.4.0", after="sleep 1; exit 1", has_check=False)
NEVER_STARTS: Final = Version("3.5.0")
"""Its command is not there: the engine makes the container, and cannot start it."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """One maker's image in one registry. `release` gives the reference of a version that was pushed."""

    engine: DockerEngine
    registry: Registry
    name: str = "ledger"
    pushed: dict[str, str] = field(default_factory=dict)

    @property
    def repository(self) -> str:
        return f"{self.registry.host}/acme/{self.name}"

    def reference(self, tag: str) -> str:
        """What a person types to get it."""
        return f"{self.repository}:{tag}"

    def release(self, version: Version, *tags: str) -> str:
        """The registry has the version, under these tags too; the engine has it only if it had it."""
        reference = self.reference(version.number)
        if version.number not in self.pushed:
            files: dict[str, bytes | str | Entry] = {
                **busybox_files(),
                "before": version.before + "\n",
                "after": version.after + "\n",
                "data/": "",
                "healthy": Entry(HEALTHY.encode(), 0o755),
                "version": version.number,
            }
            if version is not NEVER_STARTS:
                files["serve"] = Entry(SERVE.encode(), 0o755)
            lines = f"{RUNS}\nENV RELEASE={version.number}\n{CHECK if version.has_check else ''}"
            label = {"org.opencontainers.image.version": version.number}
            self.pushed[version.number] = push_image(
                self.engine, reference, files, labels=label, dockerfile=lines
            )
        for tag in tags:
            retag(self.registry, f"acme/{self.name}", version.number, tag)
        return reference

    def digest(self, version: Version) -> str:
        """The digest of a version that was released."""
        return self.pushed[version.number]

    def forget(self, *references: str) -> None:
        """The engine has no image under these names."""
        for reference in references:
            self.engine.attempt("rmi", "--force", reference)
