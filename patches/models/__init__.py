"""Hot patches, the nodes that they go into, and what became of them there."""

from patches.models.application import Application
from patches.models.kept import KeptFiles
from patches.models.node import Node
from patches.models.patch import Patch
from patches.models.patch_check import PatchCheck
from patches.models.result import NodeResult

__all__ = ["Application", "KeptFiles", "Node", "NodeResult", "Patch", "PatchCheck"]
