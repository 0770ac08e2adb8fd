"""What is exchanged in a running Python process, what stays, and what only a restart can bring: real modules, really patched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from textwrap import dedent

import pytest

from devices.drivers.nodes import FileResult, PatchFile, Status, Turn
from tests.environment.python_nodes import PythonService

TURN = Turn(upgrade="graft", fence=1)

_numbers = count(1)


@dataclass
class Case:
    """One module of a running service; it is `m` on the console."""

    service: PythonService
    name: str

    @property
    def path(self) -> str:
        return f"shop/{self.name}.py"

    def load(self, source: str, *, hold: str = "") -> None:
        """The module is loaded, and `hold` has run after that."""
        self.service.write(self.path, dedent(source))
        importing = (
            f"import gc, importlib\nimportlib.invalidate_caches()\nimport shop.{self.name} as m\n"
        )
        self.service.run(importing + dedent(hold).replace("MODULE", f"shop.{self.name}"))

    def check(self, source: str) -> FileResult:
        report = self.service.runtime().check([PatchFile(self.path, dedent(source).encode())])
        assert report.is_reachable, report
        (result,) = report.results
        return result

    def patch(self, source: str) -> FileResult:
        files = [PatchFile(self.path, dedent(source).encode())]
        report = self.service.runtime().apply(files, turn=TURN)
        assert report.is_reachable, report
        (result,) = report.results
        return result

    def value(self, expression: str) -> object:
        found: object = self.service.value(expression)
        return found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PythonService]:
    service = PythonService(tmp_path_factory.mktemp("graft") / "root")
    service.start()
    yield service
    service.remove()


@pytest.fixture
def case(service: PythonService) -> Case:
    return Case(service, f"case{next(_numbers)}")


@dataclass(frozen=True)
class Exchange:
    """`old` becomes `new`: `value`, asked with what `hold` holds, is `then` afterwards, and was `now`."""

    old: str
    new: str
    value: str
    now: object
    then: object
    hold: str = ""


EXCHANGES = {
    "a function, for whoever took it by from-import": Exchange(
        "def f(): return 1", "def f(): return 2", "f()", 1, 2, "from MODULE import f"
    ),
    "a method, for instances that are there": Exchange(
        "class A:\n def f(self): return 1",
        "class A:\n def f(self): return 2",
        "[a.f(), bound(), type(a) is m.A]",
        [1, 1, True],
        [2, 2, True],
        "a = m.A()\nbound = a.f",
    ),
    "class methods, static methods and properties": Exchange(
        """
        class A:
            @classmethod
            def c(cls): return 1
            @staticmethod
            def s(): return 1
            @property
            def p(self): return 1
            @p.setter
            def p(self, value): self.was = 1
        """,
        """
        class A:
            @classmethod
            def c(cls): return 2
            @staticmethod
            def s(): return 2
            @property
            def p(self): return 2
            @p.setter
            def p(self, value): self.was = 2
        """,
        "[a.c(), s(), a.p, setattr(a, 'p', 0) or a.was]",
        [1, 1, 1, 1],
        [2, 2, 2, 2],
        "a = m.A()\ns = m.A.s",
    ),
    "a function that a decorator holds in a closure": Exchange(
        """
        import functools
        def deco(f):
            @functools.wraps(f)
            def wrapper(*a):
                return ["old", f(*a)]
            return wrapper
        @deco
        def f(): return 1
        """,
        """
        import functools
        def deco(f):
            @functools.wraps(f)
            def wrapper(*a):
                return ["new", f(*a)]
            return wrapper
        @deco
        def f(): return 2
        """,
        "f()",
        ["old", 1],
        ["new", 2],
        "from MODULE import f",
    ),
    "a decorated function without __wrapped__": Exchange(
        "def deco(f):\n return lambda: f()\n@deco\ndef f(): return 1",
        "def deco(f):\n return lambda: f()\n@deco\ndef f(): return 2",
        "f()",
        1,
        2,
        "from MODULE import f",
    ),
    "a primed cache": Exchange(
        "import functools\n@functools.lru_cache(maxsize=None)\ndef f(x): return x + 1",
        "import functools\n@functools.lru_cache(maxsize=None)\ndef f(x): return x + 2",
        "f(1)",
        2,
        3,
        "from MODULE import f\nf(1)",
    ),
    "a primed cache on a method": Exchange(
        "import functools\nclass A:\n @functools.lru_cache\n def f(self): return 1",
        "import functools\nclass A:\n @functools.lru_cache\n def f(self): return 2",
        "a.f()",
        1,
        2,
        "a = m.A()\na.f()",
    ),
    "a cached property": Exchange(
        "import functools\nclass A:\n @functools.cached_property\n def p(self): return 1",
        "import functools\nclass A:\n @functools.cached_property\n def p(self): return 2",
        "m.A().p",
        1,
        2,
    ),
    "closures that were made before": Exchange(
        "def make(n):\n def inner(): return n + 1\n return inner",
        "def make(n):\n def inner(): return n + 2\n return inner",
        "inner()",
        11,
        12,
        "inner = m.make(10)",
    ),
    "functions in a registry": Exchange(
        "table = {}\ndef put(f):\n table[f.__name__] = f\n return f\n@put\ndef f(): return 1",
        "table = {}\ndef put(f):\n table[f.__name__] = f\n return f\n@put\ndef f(): return 2",
        "[table['f'](), len(table), table is m.table]",
        [1, 1, True],
        [2, 1, True],
        "from MODULE import table",
    ),
    "super() without arguments": Exchange(
        "class A:\n def f(self): return 1\nclass B(A):\n def f(self): return super().f() + 1",
        "class A:\n def f(self): return 1\nclass B(A):\n def f(self): return super().f() + 2",
        "b.f()",
        2,
        3,
        "b = m.B()",
    ),
    "super() where there was none": Exchange(
        "class A:\n def f(self): return 1\nclass B(A):\n def f(self): return 5",
        "class A:\n def f(self): return 1\nclass B(A):\n def f(self): return super().f() + 2",
        "b.f()",
        5,
        3,
        "b = m.B()",
    ),
    "a method that is new, with super() and a private name": Exchange(
        "class A:\n def f(self): return 1\nclass B(A):\n _B__x = 7",
        "class A:\n def f(self): return 1\nclass B(A):\n _B__x = 7\n def g(self): return super().f() + self.__x",
        "getattr(b, 'g', int)()",
        0,
        8,
        "b = m.B()",
    ),
    "other free variables, where nobody else holds the function": Exchange(
        "def make():\n x = 1\n def inner(): return x\n return inner()",
        "def make():\n x, y = 1, 2\n def inner(): return x + y\n return inner()",
        "make()",
        1,
        3,
        "from MODULE import make",
    ),
    "defaults": Exchange(
        "def f(a=1, *, b=1): return [a, b]",
        "def f(a=2, *, b=3): return [a, b]",
        "f()",
        [1, 1],
        [2, 3],
        "from MODULE import f",
    ),
    "names that are new, and names that are gone": Exchange(
        "def f(): return 1\ndef gone(): return 0",
        "LIMIT = 2\nclass New:\n def g(self): return LIMIT\ndef f(): return New().g()",
        "[f(), hasattr(m, 'gone'), hasattr(m, 'LIMIT')]",
        [1, True, False],
        [2, False, True],
        "from MODULE import f",
    ),
    "a new function that calls what the module imported": Exchange(
        "import time\ndef f(): return 1",
        "import time\ndef g(): return int(time.monotonic() > 0) + 1\ndef f(): return g()",
        "m.f()",
        1,
        2,
    ),
    "an import that nobody needs any more": Exchange(
        "from collections.abc import Iterable, Sequence\nfrom os.path import join\ndef f(): return 1",
        "from collections.abc import Sequence\ndef f(): return 2",
        "[m.f(), hasattr(m, 'join')]",
        [1, True],
        [2, False],
    ),
    "a docstring, on what wraps it too": Exchange(
        "import contextlib\n@contextlib.contextmanager\ndef f():\n 'one'\n yield",
        "import contextlib\n@contextlib.contextmanager\ndef f():\n 'two'\n yield",
        "f.__doc__",
        "one",
        "two",
        "from MODULE import f",
    ),
    "a new decorated function": Exchange(
        "import functools\ndef f(): return 1",
        "import functools\n@functools.lru_cache\ndef g(): return 2\ndef f(): return g()",
        "f()",
        1,
        2,
        "from MODULE import f",
    ),
    "constants, and what is made of them": Exchange(
        "LIMIT = 1\nTWICE = LIMIT * 2\ndef f(n=LIMIT): return [n, TWICE]",
        "LIMIT = 5\nTWICE = LIMIT * 2\ndef f(n=LIMIT): return [n, TWICE]",
        "[m.LIMIT, *f()]",
        [1, 1, 2],
        [5, 5, 10],
        "from MODULE import f",
    ),
    "a constant of a class": Exchange(
        "class A:\n LIMIT = 1", "class A:\n LIMIT = 2", "a.LIMIT", 1, 2, "a = m.A()"
    ),
    "what is made of constants in a class": Exchange(
        "class A:\n X = 1\n Y = X * 2\n def f(self, n=Y): return n",
        "class A:\n X = 5\n Y = X * 2\n def f(self, n=Y): return n",
        "[a.X, a.Y, a.f()]",
        [1, 2, 2],
        [5, 10, 10],
        "a = m.A()",
    ),
    "a function that is made under a condition": Exchange(
        "if True:\n def f(a=1): return a",
        "if True:\n def f(a=2): return a * 10",
        "f()",
        1,
        20,
        "from MODULE import f",
    ),
    "a class that nobody has any more": Exchange(
        "class A:\n def f(self): return 1\ndef g(): return A().f()",
        "def g(): return 2",
        "[m.g(), hasattr(m, 'A')]",
        [1, True],
        [2, False],
    ),
    "what only a program does at its start, which a module never does": Exchange(
        "N = 1\nif __name__ == '__main__':\n N = 2",
        "N = 1\nif __name__ == '__main__':\n N = 3",
        "m.N",
        1,
        1,
    ),
    "a type that is only written down": Exchange(
        "from collections.abc import Callable\nMake = Callable[[int], int]",
        "from collections.abc import Callable\nMake = Callable[[str], str]",
        "str(m.Make)[-10:]",
        "int], int]",
        "str], str]",
    ),
    "a pattern": Exchange(
        "import re\nP = re.compile('a')", "import re\nP = re.compile('b')", "m.P.pattern", "a", "b"
    ),
    "an import": Exchange(
        "from math import floor as way\ndef f(): return way(1.5)",
        "from math import ceil as way\ndef f(): return way(1.5)",
        "f()",
        1,
        2,
        "from MODULE import f",
    ),
    "a table that is as its source made it, in place": Exchange(
        "def f(): return 1\nT = {'a': f}",
        "def f(): return 1\ndef g(): return 2\nT = {'a': f, 'b': g}",
        "sorted(f() for f in T.values())",
        [1],
        [1, 2],
        "from MODULE import T",
    ),
    "a statement that adds to a table": Exchange(
        "T = []\nT.append(1)",
        "T = []\nT.append(1)\nT.append(2)",
        "T",
        [1],
        [1, 2],
        "from MODULE import T",
    ),
    "a method of a data class": Exchange(
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n x: int = 1\n def f(self): return self.x",
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n x: int = 1\n def f(self): return self.x + 1",
        "[a.f(), a == m.A(4)]",
        [4, True],
        [5, True],
        "a = m.A(4)",
    ),
    "a lambda": Exchange(
        "key = lambda x: x", "key = lambda x: -x", "key(1)", 1, -1, "from MODULE import key"
    ),
    "a function becomes a coroutine": Exchange(
        "import asyncio\ndef f(): return 1\ndef go(): return f()",
        "import asyncio\nasync def f(): return 2\ndef go(): return asyncio.run(f())",
        "m.go()",
        1,
        2,
    ),
    "a decorator is added": Exchange(
        "import functools\ndef f(): return object()",
        "import functools\n@functools.lru_cache\ndef f(): return object()",
        "m.f() is m.f()",
        False,
        True,
    ),
    "what the collector was told to leave alone": Exchange(
        "def f(): return 1", "def f(): return 2", "f()", 1, 2, "from MODULE import f\ngc.freeze()"
    ),
}


@pytest.mark.parametrize("what", EXCHANGES)
def test_is_exchanged(case: Case, what: str) -> None:
    exchange = EXCHANGES[what]
    case.load(exchange.old, hold=exchange.hold)
    assert case.value(exchange.value) == exchange.now
    assert case.check(exchange.new).status is Status.OK, case.check(exchange.new)
    result = case.patch(exchange.new)
    assert (result.status, result.is_written) == (Status.OK, True), result
    assert case.value(exchange.value) == exchange.then
    assert case.patch(exchange.new).status is Status.NOT_CHANGED


@dataclass(frozen=True)
class Restart:
    """Only a restart can make `new` of `old`: `value` is `now` before and after. `is_foreseen`: check says so too."""

    old: str
    new: str
    value: str
    now: object
    hold: str = ""
    reason: str = "shape"
    is_foreseen: bool = True


RESTARTS = {
    "an Enum": Restart(
        "import enum\nclass C(enum.Enum):\n A = 1",
        "import enum\nclass C(enum.Enum):\n A = 2",
        "m.C.A.value",
        1,
    ),
    "bases": Restart(
        "class A: pass\nclass B: pass\nclass C(A): pass",
        "class A: pass\nclass B: pass\nclass C(B): pass",
        "m.C.__bases__[0].__name__",
        "A",
    ),
    "a metaclass": Restart(
        "class M(type): pass\nclass C: pass",
        "class M(type): pass\nclass C(metaclass=M): pass",
        "type(m.C).__name__",
        "type",
    ),
    "slots": Restart(
        "class C:\n __slots__ = ('a',)",
        "class C:\n __slots__ = ('a', 'b')",
        "list(m.C.__slots__)",
        ["a"],
    ),
    "fields of a data class": Restart(
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n x: int = 1",
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n x: int = 1\n y: int = 2",
        "len(m.dataclasses.fields(m.A))",
        1,
    ),
    "a field of a data class that is gone": Restart(
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n x: int = 1\n y: int = 2",
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n x: int = 1",
        "len(m.dataclasses.fields(m.A))",
        2,
    ),
    "a named tuple": Restart(
        "import collections\nP = collections.namedtuple('P', 'x')",
        "import collections\nP = collections.namedtuple('P', 'x y')",
        "list(m.P._fields)",
        ["x"],
    ),
    "an object that is made in another way": Restart(
        "import threading\nL = threading.Semaphore(1)",
        "import threading\nL = threading.Semaphore(2)",
        "m.L._value",
        1,
    ),
    "a table that has a life of its own": Restart(
        "T = {'a': 1}", "T = {'a': 2}", "m.T", {"a": 1, "b": 3}, "m.T['b'] = 3"
    ),
    "a statement that is taken away": Restart(
        "T = []\nT.append(1)\nT.append(2)", "T = []\nT.append(1)", "m.T", [1, 2]
    ),
    "a function that somebody holds and that is decorated otherwise": Restart(
        "import functools\ndef f(): return 1",
        "import functools\n@functools.lru_cache\ndef f(): return 2",
        "[f[0](), m.f()]",
        [1, 1],
        "f = [m.f]",
        "held",
        is_foreseen=False,
    ),
    "a closure with other free variables that somebody holds": Restart(
        "def make():\n x = 1\n def inner(): return x\n return inner",
        "def make():\n x, y = 1, 2\n def inner(): return x + y\n return inner",
        "[inner(), m.make()()]",
        [1, 1],
        "inner = m.make()",
        "held",
        is_foreseen=False,
    ),
    "a class that is gone, and has an instance": Restart(
        "class A:\n def f(self): return 1\ndef g(): return 1",
        "def g(): return 2",
        "[a.f(), m.g()]",
        [1, 1],
        "a = m.A()",
        "held",
        is_foreseen=False,
    ),
}


@pytest.mark.parametrize("what", RESTARTS)
def test_needs_a_restart_and_stays_as_it_was(case: Case, what: str) -> None:
    restart = RESTARTS[what]
    case.load(restart.old, hold=restart.hold)
    version = case.check(restart.old).before
    foreseen = case.check(restart.new).status
    assert foreseen is (Status.NOT_UPDATED if restart.is_foreseen else Status.OK)
    result = case.patch(restart.new)
    assert (result.status, result.reason) == (Status.NOT_UPDATED, restart.reason), result
    assert result.is_written
    assert case.value(restart.value) == restart.now
    assert case.check(restart.old).before == version


STATES = {
    "containers": ("T = {}\ndef f(): return 1", "m.T['a'] = 1", "m.T", {"a": 1}),
    "what global rebinds": (
        "N = 0\ndef f(): return 1\ndef up():\n global N\n N += 1",
        "m.up()",
        "m.N",
        1,
    ),
    "what others set": ("PORT = 80\ndef f(): return 1", "m.PORT = 8080", "m.PORT", 8080),
    "instances": ("class A: pass\nA1 = A()\ndef f(): return 1", "m.A1.x = 5", "m.A1.x", 5),
    "counters of a decorator": (
        "def deco(g):\n n = 0\n def w():\n  nonlocal n\n  n += 1\n  return n\n return w\n"
        "@deco\ndef h(): pass\ndef f(): return 1",
        "m.h()",
        "m.h()",
        2,
    ),
    "a default that is changed in place": (
        "def h(x=[]):\n x.append(1)\n return len(x)\ndef f(): return 1",
        "m.h()",
        "m.h()",
        2,
    ),
    "counters of a class": ("class A:\n n = 0\ndef f(): return 1", "m.A.n = 3", "m.A.n", 3),
}


@pytest.mark.parametrize("what", STATES)
def test_state_stays(case: Case, what: str) -> None:
    source, change, value, kept = STATES[what]
    case.load(source, hold=change)
    new = source.replace("def f(): return 1", "def f(): return 2")
    assert case.patch("# Moves all lines.\n" + new).status is Status.OK
    assert case.value("m.f()") == 2
    assert case.value(value) == kept


def test_a_constant_taken_by_another_module_follows(service: PythonService) -> None:
    taker, giver = Case(service, "taker"), Case(service, "giver")
    giver.load("LIMIT = 1\n")
    taker.load("from shop.giver import LIMIT\ndef f(): return LIMIT\n")
    assert giver.patch("LIMIT = 2\n").status is Status.OK
    assert service.value("m.f()") == 2


def test_modules_that_need_each_others_news_go_in_together(service: PythonService) -> None:
    service.write("shop/first.py", "def f(): return 1\n")
    service.write("shop/second.py", "def g(): return 1\n")
    service.run("import shop.first, shop.second")
    first = PatchFile("shop/first.py", b"from shop.second import h\ndef f(): return h()\n")
    second = PatchFile("shop/second.py", b"def g(): return 1\ndef h(): return 2\n")
    report = service.runtime().apply([first, second], turn=TURN)
    assert [result.status for result in report.results] == [Status.OK, Status.OK], report
    assert service.value("shop.first.f()") == 2


def test_the_statements_of_a_module_are_not_run_again(case: Case) -> None:
    source = "import sys\nsys.ran = getattr(sys, 'ran', 0) + 1\ndef f(): return 1\n"
    case.load(source)
    before = case.value("m.sys.ran")
    assert case.patch(source.replace("return 1", "return 2")).status is Status.OK
    assert case.value("m.sys.ran") == before


def test_a_patch_that_fails_in_the_middle_is_undone_as_a_whole(case: Case) -> None:
    case.load("def f(): return 1\nN = 1\n")
    result = case.patch("def f(): return 2\nN = 2\nX = 1 / 0\n")
    assert (result.status, result.reason) == (Status.NOT_UPDATED, "raised"), result
    assert "ZeroDivisionError" in result.detail
    assert not result.is_written
    assert case.value("[m.f(), m.N, hasattr(m, 'X')]") == [1, 1, False]
    assert "return 1" in (case.service.root / case.path).read_text()


def test_a_module_that_does_not_come_back_is_given_up(case: Case) -> None:
    case.load("import threading\nend = threading.Event()\ndef f(): return 1\n")
    result = case.patch(
        "import threading\nend = threading.Event()\ndef f(): return 2\nend.wait()\nX = 1\n"
    )
    assert (result.status, result.reason, result.is_written) == (Status.NOT_UPDATED, "hung", False)
    assert case.value("m.f()") == 1
    case.service.run("m.end.set()")
    assert case.value("[m.f(), hasattr(m, 'X')]") == [1, False]


def test_the_main_program_is_patched_and_not_started_again(service: PythonService) -> None:
    source = (service.root / "main.py").read_text()
    added = "\n\ndef added() -> int:\n    return 2\n"
    head, start, rest = source.partition("\n\nif __name__")
    new = head + added + start + rest
    report = service.runtime().apply([PatchFile("main.py", new.encode())], turn=TURN)
    assert report.status is Status.OK, report
    assert service.value("__import__('__main__').added()") == 2
    started = source.replace("console.serve()", "console.serve(is_aside=False)")
    (other,) = service.runtime().check([PatchFile("main.py", started.encode())]).results
    assert (other.status, other.reason) == (Status.NOT_UPDATED, "shape")
    back = service.runtime().apply([PatchFile("main.py", source.encode())], turn=TURN)
    assert back.status is Status.OK
    assert not service.value("hasattr(__import__('__main__'), 'added')")


def test_a_running_loop_keeps_its_module_as_it_was(service: PythonService) -> None:
    source = (service.root / "shop/clock.py").read_text()
    new = source.replace("        tick()\n", "        tick()\n        tick()\n")
    assert new != source
    file = PatchFile("shop/clock.py", new.encode())
    (foreseen,) = service.runtime().check([file]).results
    assert (foreseen.status, foreseen.lingering) == (Status.NOT_UPDATED, 1)
    (result,) = service.runtime().apply([file], turn=TURN).results
    assert (result.status, result.reason, result.lingering) == (Status.NOT_UPDATED, "lingering", 1)
    assert "shop.clock" in result.detail and result.is_written
    service.run("from shop import desk")
    ticks = service.value("desk.tick()")
    assert service.value("desk.tick()") > ticks
    (loaded,) = service.runtime().inspect(["shop/clock.py"]).loaded
    assert loaded.version == result.before != loaded.disk_version


def test_a_coroutine_that_waits_keeps_its_module_as_it_was(case: Case) -> None:
    old = "async def f():\n await g()\n return 1\nimport types\n@types.coroutine\ndef g(): yield\n"
    case.load(old, hold="c = m.f()\nc.send(None)")
    result = case.patch(old.replace("return 1", "return 2"))
    assert (result.status, result.lingering) == (Status.NOT_UPDATED, 1), result
    case.service.run("c.close()")
    assert case.patch(old.replace("return 1", "return 2")).status is Status.OK


def test_a_file_of_the_same_size_and_second_is_not_mistaken_for_its_compiled_copy(
    service: PythonService, case: Case
) -> None:
    case.load("def f(): return 1\n")
    target: Path = service.root / case.path
    compiled = list(target.parent.glob(f"__pycache__/{case.name}.*.pyc"))
    assert compiled
    assert case.patch("def f(): return 2\n").status is Status.OK
    assert not any(path.exists() for path in compiled)
    service.run("import importlib\nimportlib.reload(m)")
    assert case.value("m.f()") == 2


def test_a_module_that_was_loaded_by_its_path_alone_is_patched_too(
    service: PythonService, case: Case
) -> None:
    service.write(case.path, "def f(): return 1\n")
    path = str(service.root / case.path)
    service.run(
        f"import importlib.util as u, sys\ns = u.spec_from_file_location('plug', {path!r})\n"
        "plug = u.module_from_spec(s)\nsys.modules['plug'] = plug\ns.loader.exec_module(plug)"
    )
    assert case.patch("def f(): return 2\n").status is Status.OK
    assert case.value("plug.f()") == 2


def test_code_that_is_not_that_of_its_file_is_left_alone(
    service: PythonService, case: Case
) -> None:
    case.load("def f(): return 1\n", hold="taken = [m.f]")
    service.run("m.f.__code__ = compile('def f(): return 7', 'x.py', 'exec').co_consts[0]")
    result = case.patch("def f(): return 2\n")
    assert (result.status, result.reason) == (Status.NOT_UPDATED, "held"), result
    assert case.value("m.f()") == 7


def test_a_module_that_was_not_loaded_from_a_source_waits_for_a_restart(
    service: PythonService, case: Case
) -> None:
    service.write(case.path, "x = 1\n")
    name, file = f"shop.{case.name}", str(service.root / case.path)
    service.run(f"import sys, types\nhand = types.ModuleType({name!r})\nhand.__file__ = {file!r}")
    service.run(f"sys.modules[{name!r}] = hand")
    result = case.patch("x = 2\n")
    assert (result.status, result.reason) == (Status.NOT_UPDATED, "unknown"), result
    assert result.is_written


def test_names_that_a_table_was_made_of_and_that_are_gone_do_not_fail(case: Case) -> None:
    case.load("part = 1\nT = [part]\ndel part\n")
    result = case.patch("part = 2\nT = [part]\ndel part\n")
    assert (result.status, result.reason) == (Status.NOT_UPDATED, "shape"), result
