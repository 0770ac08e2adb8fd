"""What stays in a running Python process, and what only a restart can bring: real modules, really patched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from devices.drivers.nodes import PatchFile, Status
from tests.drivers.nodes.python_case import TURN, Case, case, service
from tests.environment.python_nodes import PythonService

__all__ = ["case", "service"]


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
