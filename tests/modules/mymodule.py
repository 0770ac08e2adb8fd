"""A module as its maker has it: a web service and a worker, a unit, scripts, in versions that differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.environment.docker import DockerEngine
from tests.environment.module_images import Entry, push_image
from tests.environment.registry import Registry

PORT = 8080
UNIT = """\
[Unit]
Description=The module's web service

[Service]
Environment=DOCKER_HOST=unix:///opt/docker/docker.sock TCP_PORT=8080 NETWORK=container:%H
EnvironmentFile=-/etc/module-network
EnvironmentFile=%h/.config/state/environment
ExecStartPre=-/usr/bin/docker rm --force %u-web
ExecStart=/usr/bin/docker run --rm --name %u-web --network ${NETWORK} ${WEB_IMAGE} -p ${TCP_PORT}
ExecStop=/usr/bin/docker stop --time 0 %u-web
Restart=on-failure
RestartSec=3

[Install]
WantedBy=default.target
"""
RESTART = """\
#!/bin/sh
systemctl --user restart mymodule
"""
START = """\
#!/bin/sh
set -e
systemctl --user enable --now mymodule
"""
SAY = """\
#!/bin/sh
echo "from $PREV_IMAGE_URL to $IMAGE_URL in $(pwd)"
echo "GREETED=yes" >>environment
"""
HEARD = """\
#!/bin/sh
[ "$GREETED" = yes ] || exit 3
"""
FAIL = """\
#!/bin/sh
echo "the schema cannot be migrated" >&2
exit 7
"""

ROOT_UNIT = """\
[Service]
Environment=DOCKER_HOST=unix:///opt/docker/docker.sock
EnvironmentFile=/var/lib/nethserver/@ID@/state/environment
ExecStartPre=-/usr/bin/docker rm --force @ID@-web
ExecStart=/usr/bin/docker run --rm --name @ID@-web --network container:%H ${WEB_IMAGE} -p ${TCP_PORT}
ExecStop=/usr/bin/docker stop --time 0 @ID@-web

[Install]
WantedBy=multi-user.target
"""
COPY_UNITS = """\
#!/bin/sh
# As rootfull modules do: their units stand among the system's.
set -e
for unit in "$AGENT_INSTALL_DIR"/systemd/system/*; do
  name=${unit##*/}
  sed "s/@ID@/$MODULE_ID/g" "$unit" >"/etc/systemd/system/$MODULE_ID${name#mymodule}"
done
systemctl daemon-reload
systemctl enable --quiet "$MODULE_ID"
systemctl restart "$MODULE_ID"
"""

Tree = Mapping[str, str | bytes | Entry]


def script(text: str) -> Entry:
    """An executable file."""
    return Entry(text.encode(), 0o755)


BASE: Tree = {
    "imageroot/actions/create-module/20start": script(START),
    "imageroot/actions/update-module/30noted": script('#!/bin/sh\necho "between"\n'),
    "imageroot/bin/tool": script("#!/bin/sh\nexit 0\n"),
    "imageroot/systemd/user/mymodule.service": UNIT,
    "imageroot/update-module.d/20restart": script(RESTART),
}
ROOTFULL: Tree = {
    "imageroot/actions/create-module/20start": script(COPY_UNITS),
    "imageroot/systemd/system/mymodule.service": ROOT_UNIT,
    "imageroot/update-module.d/20restart": script(COPY_UNITS),
}


@dataclass(frozen=True, slots=True)
class MyModule:
    """One maker's module in one registry. `build` gives the reference of a version that was pushed."""

    engine: DockerEngine
    registry: Registry
    name: str = "mymodule"
    pushed: dict[str, str] = field(default_factory=dict)
    made_of: dict[str, str] = field(default_factory=dict)

    def reference(self, version: str) -> str:
        """What a person types to get the version."""
        return f"{self.registry.host}/acme/{self.name}:{version}"

    def service(self, name: str, version: str) -> str:
        """A service's image of that version; it answers with its own name and version on `PORT`, or on the one of its `-p`."""
        reference = f"{self.registry.host}/acme/{name}:{version}"
        if reference not in self.pushed:
            files: Tree = {
                "bin/busybox": Entry(Path("/bin/busybox").read_bytes(), 0o755),
                "www/index.html": f"{name} {version}\n",
            }
            run = f'["/bin/busybox","httpd","-f","-p","{PORT}","-h","/www"]'
            self.pushed[reference] = push_image(
                self.engine, reference, files, dockerfile=f"ENTRYPOINT {run}"
            )
        return reference

    def build(
        self, version: str, more: Tree | None = None, *, labels: Mapping[str, str] | None = None,
        images: bool = True, less: tuple[str, ...] = (),
    ) -> str:  # fmt: skip
        """The version is in the registry, with what all versions have, and `more`. It is not built twice of the same."""
        services = [self.service("web", version), self.service("worker", version)] if images else []
        files = {
            path: entry for path, entry in {**BASE, **(more or {})}.items() if path not in less
        }
        asked = {"org.nethserver.images": "  ".join(services), **(labels or {})}
        reference = self.reference(version)
        made_of = repr((sorted(files.items()), sorted(asked.items())))
        if self.made_of.get(reference) != made_of:
            self.pushed[reference] = push_image(self.engine, reference, files, labels=asked)
            self.made_of[reference] = made_of
        return reference

    def forget(self, *references: str) -> None:
        """The engine has none of these images, nor any without a name."""
        for reference in references:
            self.engine.attempt("rmi", "--force", reference)
