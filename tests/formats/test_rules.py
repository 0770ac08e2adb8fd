"""The words by which refusals are known to programs: none appears, changes or goes without its row in the documentation."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORMATS = ROOT / "updates" / "formats"
SOURCES = {
    "mender_artifact": ("mender_artifact/*.py", "tar/*.py", "../../portal/core/strict_json.py"),
    "module_image": ("module_image/*.py", "tar/*.py"),
}
# No member of an imageroot is read into memory as a whole.
UNREACHED: dict[str, set[str]] = {"mender_artifact": set(), "module_image": {"member-too-large"}}
RAISERS = {"ArtifactRefused", "ModuleRefused", "refused", "_refused"}


def called(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def words_in(*patterns: str) -> set[str]:
    """What refusals are raised with: as their first argument, or handed on as `rule`."""
    found: set[str] = set()
    for path in [path for pattern in patterns for path in FORMATS.glob(pattern)]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                given = node.args[:1] if called(node.func) in RAISERS else []
                given += [word.value for word in node.keywords if word.arg == "rule"]
                found |= {str(word.value) for word in given if isinstance(word, ast.Constant)}
    return found


def words_of(folder: str) -> list[str]:
    return sorted(words_in(*SOURCES[folder]) - UNREACHED[folder])


FORMS = pytest.mark.parametrize(
    ("folder", "document", "tests"),
    [
        ("mender_artifact", "artifact-rules.md", "."),
        ("module_image", "module-rules.md", "module_image"),
    ],
)


@FORMS
def test_every_rule_is_documented_and_every_documented_rule_exists(
    folder: str, document: str, tests: str
) -> None:
    text = (ROOT / "portal" / "docs" / document).read_text()
    documented = re.findall(r"^\| `([a-z-]+)` \|", text, re.M)
    assert documented == words_of(folder)


@FORMS
def test_every_rule_is_tried_by_a_test(folder: str, document: str, tests: str) -> None:
    tried = "".join(path.read_text() for path in (Path(__file__).parent / tests).glob("test_*.py"))
    assert [word for word in words_of(folder) if f'"{word}"' not in tried] == []
