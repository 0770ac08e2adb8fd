"""Docker Compose as others leave it to us: the labels of containers, what `config` prints, tags that pin a version.

Everything here is pure: no file is read. What cannot be taken is refused with `ComposeRefused`, its stable `rule` and one
sentence.
"""

from updates.formats.compose.config import LARGEST_BYTES, ComposeConfig, ComposeService, read_config
from updates.formats.compose.pin import pinned
from updates.formats.compose.project import ComposeProject, project_of

__all__ = [
    "LARGEST_BYTES",
    "ComposeConfig",
    "ComposeProject",
    "ComposeService",
    "pinned",
    "project_of",
    "read_config",
]
