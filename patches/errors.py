"""What can go wrong with hot patches.

FleetwrightError
 |- Refused
     |- PatchRefused        the file is not a patch; says the rule that it breaks
     |- NotApplicable       this patch cannot be applied to this instance as both are now
"""

from __future__ import annotations

from portal.core.errors import Refused


class PatchRefused(Refused):
    """The uploaded file breaks a rule. `rule` is a stable word such as `archive-twins`."""

    code = "PAT-100"

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


class NotApplicable(Refused):
    code = "PAT-101"
