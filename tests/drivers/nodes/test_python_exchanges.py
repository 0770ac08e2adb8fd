"""What is exchanged in a running Python process: real modules, really patched."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from devices.drivers.nodes import Status
from tests.drivers.nodes.python_case import Case, case, service

__all__ = ["case", "service"]


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
