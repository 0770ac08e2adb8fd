"""Where the entries of an imageroot stand, and where its links lead: nowhere but below the root."""

from __future__ import annotations

import posixpath

from portal.core.quoting import quoted
from updates.errors import ModuleRefused
from updates.formats.module_image.limits import Limits
from updates.formats.module_image.listing import Kind, Listed


class Places:
    """The entries that have come so far. The root itself is the path ''."""

    def __init__(self, *, root: str, limits: Limits) -> None:
        self._root = root
        self._limits = limits
        self._taken: dict[str, Kind] = {}
        self._bytes = 0
        self.twins: dict[str, str] = {}
        """Hard links, and the file that each is a link to."""

    def path_of(self, name: str) -> str:
        """The path below the root of the member `name`."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\0" in name or "\n" in name:
            raise ModuleRefused(
                "path",
                f"The image has {quoted(name)}: names are relative, without '..', line breaks and NUL characters.",
            )
        if not parts or parts[0] != self._root:
            raise ModuleRefused(
                "path-outside", f"The export has {quoted(name)}, which is not below {self._root}."
            )
        path = "/".join(parts[1:])
        longest_name = max(len(part.encode()) for part in parts)
        if len(path.encode()) > self._limits.path_bytes or longest_name > self._limits.name_bytes:
            raise ModuleRefused("path-too-long", f"The path {quoted(path)} is too long.")
        return path

    def take(self, path: str, listed: Listed) -> None:
        """The entry stands at `path`, in a directory that came before it, and nothing else does."""
        folder = posixpath.dirname(path)
        if not path and listed.kind is not Kind.DIRECTORY:
            raise ModuleRefused(
                "no-imageroot", f"{quoted(self._root)} in the image is not a directory."
            )
        if folder and self._taken.get(folder) is not Kind.DIRECTORY:
            raise ModuleRefused(
                "below-a-file",
                f"The image has {quoted(path)} below {quoted(folder)}, which is no directory that came before it.",
            )
        if path in self._taken:
            raise ModuleRefused("twice", f"The image has {quoted(path)} twice.")
        self._taken[path] = listed.kind
        self._bytes += listed.size
        if len(self._taken) > self._limits.entries:
            raise ModuleRefused(
                "too-many-entries",
                f"The image has more than the {self._limits.entries} files and directories that are allowed.",
            )
        if self._bytes > self._limits.tree_bytes:
            raise ModuleRefused(
                "tree-too-large",
                f"The files of the image are more than the {self._limits.tree_bytes} bytes that are allowed.",
            )

    def checked_link(self, path: str, link: str) -> str:
        """What a symbolic link at `path` holds, unchanged: it leads to somewhere below the root."""
        parts = [part for part in link.split("/") if part not in ("", ".")]
        ups = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
        if not link or "\0" in link or "\n" in link or len(link.encode()) > self._limits.path_bytes:
            raise ModuleRefused("link", f"The link {quoted(path)} holds no usable path.")
        if link.startswith("/") or ups > path.count("/"):
            raise ModuleRefused(
                "link-outside",
                f"The link {quoted(path)} leads to {quoted(link)}, which is outside of {self._root}.",
            )
        if ".." in parts[ups:]:
            raise ModuleRefused(
                "link", f"The link {quoted(path)} leads to {quoted(link)}: '..' behind a name."
            )
        return link

    def link_to_twin(self, path: str, target: str) -> str:
        """What a symbolic link at `path` holds that stands for a hard link to the member `target`."""
        twin = self.path_of(target)
        if self._taken.get(twin) is not Kind.FILE:
            raise ModuleRefused(
                "hard-link",
                f"The hard link {quoted(path)} leads to {quoted(twin)}, which is no file that came before it.",
            )
        self.twins[path] = twin
        return posixpath.relpath(f"/{twin}", f"/{posixpath.dirname(path)}")
