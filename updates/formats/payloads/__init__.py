"""What the payloads of well-known Update Modules are made of, and directories for them out of archives that people upload."""

from updates.formats.payloads.archive import ArchiveLimits
from updates.formats.payloads.known import directory_files, single_file_files
from updates.formats.payloads.tree import Tree, write_tree

__all__ = ["ArchiveLimits", "Tree", "directory_files", "single_file_files", "write_tree"]
