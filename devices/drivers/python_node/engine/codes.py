"""Code as text and as what it compiles to: what is the same, what takes the place of what."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator, Sequence
from types import CodeType
from typing import Any

FACTS = "name argcount posonlyargcount kwonlyargcount flags code names varnames freevars cellvars"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)


def _facts(value: Any) -> Any:
    if isinstance(value, CodeType):
        # From Python 3.13 on a class body carries its own line as a constant.
        line = value.co_firstlineno if "__firstlineno__" in value.co_names else None
        facts = [getattr(value, "co_" + name) for name in FACTS.split()]
        facts.append(getattr(value, "co_exceptiontable", b""))
        consts = ("line" if line is not None and item == line else item for item in value.co_consts)
        return [*facts, *map(_facts, consts)]
    if isinstance(value, (tuple, frozenset)):
        inner = [_facts(item) for item in value]
        return ["tuple", inner] if isinstance(value, tuple) else ["set", sorted(map(repr, inner))]
    return [type(value).__name__, repr(value)]


@functools.lru_cache(maxsize=8192)
def digest(code: CodeType) -> str:
    """The version of `code`: what it does. Lines, comments and the file's name do not count."""
    return hashlib.sha256(repr(_facts(code)).encode()).hexdigest()


@functools.lru_cache(maxsize=512)
def compiled(source: bytes, file: str) -> CodeType:
    """`source` as the interpreter loads it. What `compile` raises, if it can't be."""
    return compile(source, file, "exec", dont_inherit=True)


def all_codes(code: CodeType) -> Iterator[CodeType]:
    """`code` and every code inside it."""
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from all_codes(inner)


def pair(old: CodeType, new: CodeType, found: dict[CodeType, CodeType]) -> None:
    """`found` has the code that takes the place of `old` and of each code inside it, where that is clear."""
    found[old] = new
    groups: dict[str, tuple[list[CodeType], list[CodeType]]] = {}
    for side, code in enumerate((old, new)):
        for inner in code.co_consts:
            if isinstance(inner, CodeType):
                groups.setdefault(inner.co_name, ([], []))[side].append(inner)
    for olds, news in groups.values():
        for inner in list(olds):
            same = [twin for twin in news if digest(twin) == digest(inner)]
            if same:
                olds.remove(inner)
                news.remove(same[0])
                pair(inner, same[0], found)
        if len(olds) == len(news):
            for number, inner in enumerate(olds):
                pair(inner, news[number], found)


def at_load(statement: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a statement that run when it does: not the bodies of functions."""
    yield statement
    for field, value in ast.iter_fields(statement):
        if field == "body" and isinstance(statement, (ast.Lambda, *FUNCTIONS)):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST):
                yield from at_load(node)


def loads(statements: Sequence[ast.AST]) -> list[str]:
    """The names that are read when `statements` run."""
    nodes = (node for statement in statements for node in at_load(statement))
    return [
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    ]


def bound(statement: ast.stmt) -> list[str]:
    """The names that `statement` gives something to."""
    if isinstance(statement, DEFINITIONS):
        return [statement.name]
    names: list[str] = []
    for node in at_load(statement):
        if isinstance(node, DEFINITIONS):
            names.append(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.extend(alias.asname or alias.name.split(".")[0] for alias in node.names)
    return names


def deleted(body: list[ast.stmt]) -> set[str]:
    """The names that a body takes away again."""
    targets = [target for node in body if isinstance(node, ast.Delete) for target in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def units(body: list[ast.stmt]) -> dict[str, list[ast.stmt]]:
    """The statements of a body by the names that they make, or by what they say if they make none."""
    found: dict[str, list[ast.stmt]] = {}
    for statement in body:
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not is_text and not isinstance(statement, ast.Pass):
            key = ",".join(bound(statement)) or ast.dump(statement)
            found.setdefault(key, []).append(statement)
    return found


def dump(parts: Any) -> str:
    """What `parts` of a tree say, wherever they stand."""
    return repr([ast.dump(part) for part in parts if part is not None])


def text_of(statements: list[ast.stmt], lines: list[bytes]) -> list[Any]:
    """The text of `statements`, with where it begins and ends in its lines: equal for equal ones, mostly."""
    found = []
    for node in statements:
        first = min([node.lineno, *(part.lineno for part in getattr(node, "decorator_list", ()))])
        found.append((lines[first - 1 : node.end_lineno], node.col_offset, node.end_col_offset))
    return found


def head_of(statement: Any) -> Any:
    """What a `def` says outside its body, decorators left out, and its docstring."""
    return dump([statement.args, statement.returns]), ast.get_docstring(statement, clean=False)


def rebound(tree: ast.Module, source: bytes) -> set[str]:
    """The names that functions rebind by `global`."""
    if b"global" not in source:
        return set()
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Global))
    return {name for node in nodes for name in node.names}


def is_start(statement: ast.stmt) -> bool:
    """Whether it is what a program does when it is started: `if __name__ == "__main__"`."""
    return isinstance(statement, ast.If) and "'__name__'" in ast.dump(statement.test)


def is_literal(statement: ast.stmt) -> bool:
    """Whether it gives a name to something that is only put together, so that it may be looked at once more."""
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return False
    fine = (
        ast.Constant,
        ast.Name,
        ast.Attribute,
        ast.Tuple,
        ast.List,
        ast.Set,
        ast.Dict,
        ast.UnaryOp,
    )
    context = (ast.expr_context, ast.operator, ast.unaryop, ast.BinOp, type(statement))
    parts = [statement.value, *getattr(statement, "targets", [])] if statement.value else []
    return all(isinstance(node, (*fine, *context)) for part in parts for node in ast.walk(part))


@functools.lru_cache(maxsize=512)
def taken(source: bytes) -> list[tuple[str, str, str]]:
    """What a source takes by `from origin import name as here`: (origin, name, here)."""
    imports = [node for node in at_load(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return [
        ("." * node.level + (node.module or ""), alias.name, alias.asname or alias.name)
        for node in imports
        for alias in node.names
    ]
