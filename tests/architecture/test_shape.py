"""What import-linter cannot see."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from django.apps import apps

from tests.architecture.source import APPS, ROOT, modules, name, tree

FLOORS = ["core", "devices", "updates", "patches", "second_factor", "portal"]
LONGEST_FILE = 450
LONGEST_FUNCTION = 40
STATE_WRITER = "updates/journal/"


def test_no_foreign_key_points_up() -> None:
    upward = [
        f"{model._meta.label}.{field.name}"
        for label in FLOORS
        for model in apps.get_app_config(label).get_models()
        for field in model._meta.get_fields()
        if field.is_relation
        and not field.auto_created
        and field.related_model is not None
        and field.related_model._meta.app_label in FLOORS
        and FLOORS.index(field.related_model._meta.app_label) > FLOORS.index(label)
    ]
    assert upward == []


def test_only_the_journal_writes_an_upgrades_state() -> None:
    written = [
        f"{name(path)}:{line}"
        for path in modules()
        if not name(path).startswith(STATE_WRITER)
        for line in _state_writes(tree(path))
    ]
    assert written == []


def test_the_search_for_second_writers_finds_one() -> None:
    code = "upgrade.state = 'x'\nUpgrade.objects.filter(pk=1).update(outcome='x')\nfoo(state=1)"
    assert list(_state_writes(ast.parse(code))) == [1, 2]


def _state_writes(module: ast.Module) -> Iterator[int]:
    """Lines that set a `state`, `outcome` or `fence` of something that is not `self`, by attribute or by update()."""
    words = {"state", "outcome", "fence"}
    for node in ast.walk(module):
        if isinstance(node, ast.Assign):
            yield from (
                target.lineno
                for target in node.targets
                if isinstance(target, ast.Attribute)
                and target.attr in words
                and not (isinstance(target.value, ast.Name) and target.value.id == "self")
            )
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            writes = node.func.attr in {"update", "bulk_update", "update_or_create"}
            if writes and any(keyword.arg in {"state", "outcome"} for keyword in node.keywords):
                yield node.lineno


def test_rooms_are_small() -> None:
    long_files = [
        f"{name(path)}: {count}"
        for path in modules()
        if (count := len(path.read_text().splitlines())) > LONGEST_FILE
    ]
    long_functions = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert (long_files, long_functions) == ([], [])


def test_no_catch_all_modules() -> None:
    banned = {"utils.py", "helpers.py", "common.py", "misc.py"}
    assert [name(path) for path in modules() if path.name in banned] == []


def test_templates_hold_no_script_and_no_style() -> None:
    inline = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>|\sstyle=|\son[a-z]+=\"|<style")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (ROOT / "templates").rglob("*.html")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if inline.search(line)
    ]
    assert found == []


def test_every_public_function_says_what_it_does() -> None:
    silent = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in modules()
        if path.parts[-2] in {"services", "journal"} or path.name in {"services.py", "queries.py"}
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]
    assert silent == []


def test_every_app_of_ours_is_on_a_floor() -> None:
    ours = {config.label for config in apps.get_app_configs() if config.name.split(".")[0] in APPS}
    assert ours == set(FLOORS)
