"""The words by which refusals are known to programs: none appears, changes or goes without its row in the documentation."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FORMATS = ROOT / "updates" / "formats" / "mender_artifact"


def words_in_the_source() -> set[str]:
    """What ArtifactRefused is raised with: as its first argument, or handed on as `rule`."""
    found: set[str] = set()
    for path in FORMATS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                is_refusal = isinstance(node.func, ast.Name) and node.func.id == "ArtifactRefused"
                given = node.args[:1] if is_refusal else []
                given += [word.value for word in node.keywords if word.arg == "rule"]
                found |= {str(word.value) for word in given if isinstance(word, ast.Constant)}
    return found


def test_every_rule_is_documented_and_every_documented_rule_exists() -> None:
    text = (ROOT / "portal" / "docs" / "artifact-rules.md").read_text()
    documented = re.findall(r"^\| `([a-z-]+)` \|", text, re.M)
    assert documented == sorted(words_in_the_source())


def test_every_rule_is_tried_by_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [word for word in sorted(words_in_the_source()) if f'"{word}"' not in tests] == []
