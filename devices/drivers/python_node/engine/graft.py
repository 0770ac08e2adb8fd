"""New code on its way into one live module.

What is the same in the old source and the new one is left alone, with the state that it has. The code of live functions is
exchanged in place, so that whoever holds them (decorators, registries, instances, `from` imports) has the new one. What else is
new is run in the module's own namespace. `journal` has what was there before.
"""

from __future__ import annotations
import __future__

import ast
import copy
import importlib.util
import sys
from abc import ABCMeta
from collections.abc import Sequence
from contextlib import suppress
from enum import EnumMeta
from types import CodeType, FunctionType, ModuleType
from typing import Any

from devices.drivers.python_node.engine.codes import (
    FUNCTIONS,
    all_codes,
    compiled,
    deleted,
    digest,
    dump,
    head_of,
    is_literal,
    is_start,
    loads,
    pair,
    rebound,
    taken,
    text_of,
    units,
)
from devices.drivers.python_node.engine.live import LRU, holders, inside, is_plain, users
from devices.drivers.python_node.engine.members import (
    MISSING,
    assign,
    body_of,
    bound_by,
    decorators,
    mangled,
    members_of,
    names_of,
    parts_of,
)
from devices.drivers.python_node.engine.verdicts import NOT_UPDATED, Verdict, shape

METACLASS = "fleetwright metaclass"
CALLABLES = (FunctionType, property, classmethod, staticmethod, LRU)
HEAD = ("__doc__", "__annotations__") if sys.version_info < (3, 14) else ("__doc__",)
LOOPS = (ast.For, ast.While, ast.AsyncFor)
FUTURE = 0
for _name in __future__.all_feature_names:
    FUTURE |= getattr(__future__, _name).compiler_flag


class Graft:
    """Begin with `foresee`; then `apply`, and `verify` or `undo`."""

    def __init__(self, module: ModuleType, *, old: bytes, new: bytes, file: str) -> None:
        self.live: dict[str, Any] = vars(module)
        self.file = file
        is_main = self.live.get("__name__") == "__main__"
        self.trees = [ast.parse(old), ast.parse(new)]
        # What a program does only at its start, an imported module never does.
        for tree in self.trees:
            tree.body = [part for part in tree.body if is_main or not is_start(part)]
        self.old, self.new = compiled(old, file), compiled(new, file)
        self.pairs: dict[CodeType, CodeType] = {}
        pair(self.old, self.new, self.pairs)
        same = {code for code, twin in self.pairs.items() if digest(code) == digest(twin)}
        self.changed = set(all_codes(self.old)) - same - {self.old}
        self.lines = (old.splitlines(), new.splitlines())
        self.rebound = rebound(self.trees[0], old) | rebound(self.trees[1], new)
        self.journal: list[tuple[Any, str | None, Any]] = []
        self.replaced: list[Any] = []
        self.caches: list[Any] = []
        self.bare: list[Any] = []  # functions that were only made to be looked at
        self.moved: dict[str, tuple[Any, Any]] = {}  # names of constants and callables -> old, new
        self.touched: set[str] = set()  # names, of classes too, that are something else by now
        self.functions: list[FunctionType] = []
        self.current: set[CodeType] = set()  # of the functions, once they are exchanged
        self.heads: dict[tuple[str, int], CodeType | None] = {}
        for code in all_codes(self.new):
            head = (code.co_name, code.co_firstlineno)
            self.heads[head] = None if head in self.heads else code
        self.is_dry, self.is_over = False, False

    def foresee(self) -> None:
        """Raises what can be known without running anything."""
        self.is_dry = True
        self._merge(self.live, self.trees[0].body, self.trees[1].body)
        self.is_dry = False

    def apply(self, functions: list[FunctionType]) -> None:
        """The module is the new one. `functions`: those that have its globals."""
        self.functions = functions
        self._swap()
        self.current = {function.__code__ for function in functions}
        self._merge(self.live, self.trees[0].body, self.trees[1].body)
        for cache in self.caches:
            cache.cache_clear()

    def undo(self) -> None:
        """The module is what it was."""
        while self.journal:
            assign(*self.journal.pop())
        for cache in self.caches:
            cache.cache_clear()
        for found in (self.replaced, self.caches, self.bare, self.moved, self.touched):
            found.clear()

    def verify(self, functions: list[FunctionType], *, apart_from: set[int]) -> None:
        """Raises if anybody still has old code of the module. `apart_from`: ids of what holds functions on our behalf."""
        self.functions = functions
        self._swap()  # closures that old frames made meanwhile
        codes = set(all_codes(self.new))
        bodies = {body_of(code) for code in codes}
        given_up = {id(part) for value in self.replaced + self.bare for part in parts_of(value)}
        for function in functions:
            is_made = function.__code__.co_filename[0] == "<"  # by dataclasses, say
            is_made = is_made or function.__name__ == "<module>"  # a body that came to an end
            is_new = function.__code__ in codes or body_of(function.__code__) in bodies
            if not (is_new or is_made or id(function) in given_up):
                held = f"{function.__qualname__} is alive with old code that cannot be exchanged."
                raise Verdict(NOT_UPDATED, "held", held)
        own = {id(entry) for entry in self.journal} | {id(entry) for entry in self.moved.values()}
        own |= apart_from | {id(self.replaced)}
        for value in self.replaced:
            is_class = isinstance(value, type)
            found = users(value) if is_class else holders(value, apart_from=own)
            if found:
                name = getattr(value, "__name__", type(value).__name__)
                raise Verdict(NOT_UPDATED, "held", f"The old {name} is still held by {found[0]}.")

    def spread(self, own_names: set[str], sources: dict[str, Any]) -> None:
        """Whoever took a constant or a replaced function by `from` import has the new one."""
        for other, source in sources.items() if self.moved else ():
            module = sys.modules.get(other)
            for origin, name, here in taken(source.data) if module is not None else ():
                package = getattr(module, "__package__", None) or ""
                was, will = self.moved.get(name, (MISSING, MISSING))
                try:
                    is_ours = importlib.util.resolve_name(origin, package) in own_names
                except ImportError:
                    continue
                now = vars(module).get(here, MISSING)
                is_same = now is was or (is_plain(was) and type(now) is type(was) and now == was)
                if is_ours and is_same and will is not MISSING and now is not MISSING:
                    self.put(vars(module), here, will)

    def put(self, owner: Any, name: str, value: Any) -> None:
        """`name` of a module's names, a class or a function is `value`; `undo` knows."""
        if isinstance(owner, (dict, type)):
            was = (owner if isinstance(owner, dict) else vars(owner)).get(name, MISSING)
        else:
            was = getattr(owner, name)
        self.journal.append((owner, name, was))
        if self._is_ours(was):
            self.replaced.append(was)
        if owner is self.live and was is not MISSING:
            self.moved[name] = (was, value)
        if was is not MISSING and not isinstance(owner, FunctionType):
            self.touched.add(name)
        assign(owner, name, value)

    def _is_ours(self, value: Any) -> bool:
        """Whether the module made it, and did not only import it."""
        if isinstance(value, type):
            return value.__module__ == self.live.get("__name__")
        parts = inside(value) if isinstance(value, CALLABLES) else ()
        return any(getattr(part, "__globals__", None) is self.live for part in parts)

    def _swap(self) -> None:
        for function in self.functions:
            twin = self.pairs.get(function.__code__)
            is_new = twin is not None and twin != function.__code__
            if twin is not None and is_new and twin.co_freevars == function.__code__.co_freevars:
                self.put(function, "__code__", twin)

    def _merge(
        self, owner: Any, old: list[ast.stmt], new: list[ast.stmt], *, is_rigid: bool = False
    ) -> None:
        before, after = units(old), units(new)
        staying = {name for key in after for name in bound_by(after[key])}
        for key, was in before.items():
            if key not in after and not bound_by(was):
                shape("A statement of its body is not there any more, or another one.")
            is_made = all(isinstance(statement, FUNCTIONS) for statement in was)
            if key not in after and (key == "__slots__" or (is_rigid and not is_made)):
                shape(f"{getattr(owner, '__name__', '')}.{key} is a part of its class's shape.")
        for key, will in after.items():
            was = before.get(key, [])
            if self._is_same(was, will):
                continue
            is_made = all(isinstance(statement, FUNCTIONS) for statement in [*was, *will])
            if any(map(is_start, [*was, *will])) or (was and isinstance(will[0], LOOPS)):
                shape("What its body does at the start is something else.")
            if key == "__slots__" or (is_rigid and not is_made):
                shape(f"{getattr(owner, '__name__', '')}.{key} is a part of its class's shape.")
            if not deleted(new).isdisjoint(bound_by(will)):
                shape(f"{key} is only there while its module is loaded.")
            self._bring(owner, key, was, will)
        for key, was in before.items():
            for name in set(bound_by(was)) - staying if key not in after else ():
                if mangled(owner, name) in names_of(owner) and not self.is_dry:
                    self.put(owner, mangled(owner, name), MISSING)
        text = [ast.get_docstring(ast.Module(body, []), clean=False) for body in (old, new)]
        if text[0] != text[1] and not self.is_dry:
            self.put(owner, "__doc__", text[1])

    def _is_same(self, was: list[ast.stmt], will: list[ast.stmt]) -> bool:
        """Whether the statements make the same as before; functions whose text differs are looked at later."""
        if self._is_touched(will):
            return False
        if text_of(was, self.lines[0]) == text_of(will, self.lines[1]):
            return True
        is_made = all(isinstance(statement, FUNCTIONS) for statement in [*was, *will])
        return not is_made and dump(was) == dump(will)

    def _is_touched(self, nodes: Sequence[ast.AST]) -> bool:
        """Whether they are made of something that is something else by now."""
        return bool(self.touched) and not self.touched.isdisjoint(loads(nodes))

    def _bring(self, owner: Any, key: str, was: list[ast.stmt], will: list[ast.stmt]) -> None:
        old, new = (was or [None])[0], will[0]  # type: ignore[list-item]
        live = names_of(owner).get(mangled(owner, key), MISSING)
        if isinstance(old, ast.ClassDef) and isinstance(new, ast.ClassDef) and len(was + will) == 2:
            self._renew_class(live, old, new)
        elif was and all(isinstance(statement, FUNCTIONS) for statement in [*was, *will]):
            self._renew_functions(owner, key, was, will)
        elif live is MISSING and not was:
            for name, value in self._run(owner, will).items():
                self.put(owner, name, value)
        else:
            self._rebind(owner, was, will)

    def _renew_class(self, live: Any, old: ast.ClassDef, new: ast.ClassDef) -> None:
        heads = [[*node.bases, *node.keywords, *node.decorator_list] for node in (old, new)]
        moved = self._is_touched(heads[1])
        if not isinstance(live, type) or dump(heads[0]) != dump(heads[1]) or moved:
            shape(f"The bases, the metaclass or a decorator of the class {new.name} are others.")
        if isinstance(live, EnumMeta):
            shape(f"{new.name} is an Enum, and cannot change while it is used.")
        is_plain_class = type(live) in (type, ABCMeta) and not hasattr(live, "_fields")
        is_rigid = bool(new.decorator_list) or not is_plain_class
        self._merge(live, old.body, new.body, is_rigid=is_rigid)

    def _renew_functions(
        self, owner: Any, name: str, was: list[ast.stmt], will: list[ast.stmt]
    ) -> None:
        if self.is_dry:
            return
        heads = [[dump(decorators(statement)) for statement in side] for side in (was, will)]
        moved = any(self._is_touched(decorators(statement)) for statement in will)
        codes = [self._code_of(statement) for statement in will]
        if heads[0] == heads[1] and not moved and self.current.issuperset(codes):
            for old, new, code in zip(was, will, codes):
                self._renew_head(owner, old, new, code)
            parts = list(inside(names_of(owner).get(mangled(owner, name), MISSING)))
            self.caches += [part for part in parts if isinstance(part, LRU)]
            text = [ast.get_docstring(side[-1], clean=False) for side in (was, will)]  # type: ignore[arg-type]
            for part in parts if text[0] != text[1] else ():
                if part.__doc__ == text[0]:  # as functools.wraps copies it
                    self.put(part, "__doc__", text[1])
            return
        for found, value in self._run(owner, will).items():
            self.put(owner, found, value)

    def _renew_head(self, owner: Any, old: Any, new: Any, code: CodeType | None) -> None:
        """What a `def` says outside its body holds for every function with `code`; decorators are not run again."""
        bare = copy.copy(new)
        bare.decorator_list = []
        if head_of(old) == head_of(new) and not self._is_touched([bare]):
            return
        args = [[*node.args.defaults, *node.args.kw_defaults] for node in (old, new)]
        attributes = list(HEAD)
        if dump(args[0]) != dump(args[1]) or self._is_touched([bare]):
            attributes += ["__defaults__", "__kwdefaults__"]  # else they may be state
        for made in self._run(owner, [bare]).values():
            self.bare.append(made)
            for function in self.functions if isinstance(made, FunctionType) else ():
                for name in attributes if function.__code__ == code else ():
                    if getattr(function, name) != getattr(made, name):
                        self.put(function, name, getattr(made, name))

    def _code_of(self, statement: Any) -> CodeType | None:
        line = min([statement.lineno, *(node.lineno for node in statement.decorator_list)])
        return self.heads.get((statement.name, line))

    def _rebind(self, owner: Any, was: list[ast.stmt], will: list[ast.stmt]) -> None:
        imports = any(
            isinstance(node, (ast.Import, ast.ImportFrom)) for s in will for node in ast.walk(s)
        )
        initial: dict[str, Any] = {}
        if len(was) == 1 and is_literal(was[0]):
            with suppress(Verdict):  # a name that it was made of may be gone
                initial = self._run(owner, was, is_harmless=True)
        if self.is_dry:
            for name in set(bound_by(will)):
                live = names_of(owner).get(mangled(owner, name), None)
                if not (imports or is_plain(live) or isinstance(live, CALLABLES)):
                    self._content(live, live, initial.get(mangled(owner, name), MISSING), name)
            return
        for name, value in self._run(owner, will).items():
            live = names_of(owner).get(name, MISSING)
            first = initial.get(name, MISSING)
            if name in self.rebound and owner is self.live:
                continue  # the system has given it a value of its own
            if live is MISSING or imports:
                self.put(owner, name, value)
            elif isinstance(live, CALLABLES):
                self._exchange(owner, name, live, value)
            elif is_plain(live):
                if first is MISSING or (type(live) is type(first) and live == first):
                    self.put(owner, name, value)
            else:
                self._content(live, value, first, name)

    def _exchange(self, owner: Any, name: str, live: Any, value: Any) -> None:
        """What is callable is the new one; in place, if its code is already."""
        if getattr(live, "__code__", live) != getattr(value, "__code__", value):
            self.put(owner, name, value)
            return
        for head in ("__defaults__", "__kwdefaults__"):
            if getattr(live, head) != getattr(value, head):
                self.put(live, head, getattr(value, head))

    def _content(self, live: Any, value: Any, first: Any, name: str) -> None:
        """A container that is as its source made it gets what the new source puts in; one with a life of its own does not."""
        is_container = type(live) in (list, dict, set) and type(live) is type(value)
        if not is_container or first is MISSING or first != live:
            shape(f"{name} is made in another way, and what it holds now cannot be told apart.")
        if not self.is_dry and live != value:
            self.journal.append((live, None, live.copy()))
            assign(live, None, value)

    def _run(
        self, owner: Any, statements: list[ast.stmt], *, is_harmless: bool = False
    ) -> dict[str, Any]:
        """The names that `statements` make, when they run in the module or in a class of it."""
        if self.is_dry and not is_harmless:
            return {}
        # What a source made at first, it made of the names as they were.
        before = {name: was for place, name, was in self.journal if place is owner and is_harmless}
        captured: dict[str, Any] = {
            name: was for name, (was, _) in self.moved.items() if is_harmless
        }
        body = statements
        if isinstance(owner, type):
            known = {name: vars(owner)[name] for name in loads(statements) if name in vars(owner)}
            known.update((name, was) for name, was in before.items() if name in known)
            prepare = classmethod(lambda *_: dict(known))
            captured[METACLASS] = type("Meta", (type,), {"__prepare__": prepare})
            made = ast.parse(f"class {owner.__name__}(metaclass=M): pass").body[0]
            if isinstance(made, ast.ClassDef):
                made.keywords[0].value = ast.Name(METACLASS, ast.Load())
                made.body, body = statements, [made]
        tree = ast.fix_missing_locations(ast.Module(body, []))
        code = compile(tree, self.file, "exec", self.new.co_flags & FUTURE, dont_inherit=True)
        try:
            exec(code, self.live, captured)  # noqa: S102  the system's own new code
        except BaseException as error:  # noqa: BLE001  whatever that raises
            said = f"Its new code raised {type(error).__name__}: {str(error)[:300]}"
            raise Verdict(NOT_UPDATED, "raised", said) from None
        if self.is_over:
            raise Verdict(NOT_UPDATED, "hung", "Its new code came back too late.")
        if isinstance(owner, type):
            members = members_of(owner, captured[owner.__name__], statements)
        else:
            members = {name: captured[name] for name in bound_by(statements) if name in captured}
        self._match(code, members)
        return members

    def _match(self, code: CodeType, members: dict[str, Any]) -> None:
        """A statement that is compiled alone may give other code than in its module, which is what counts."""
        for made in all_codes(code):
            twin = self.heads.get((made.co_name, made.co_firstlineno))
            if twin is not None and twin != made:
                self.pairs[made] = twin
        parts = {id(part): part for value in members.values() for part in parts_of(value)}
        for part in (part for part in parts.values() if isinstance(part, FunctionType)):
            twin = self.pairs.get(part.__code__)
            if twin is not None and twin.co_freevars == part.__code__.co_freevars:
                part.__code__ = twin
