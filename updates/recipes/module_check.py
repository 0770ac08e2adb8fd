"""A look at Update Modules on a device: which it has, and whether one that the portal holds would work there.

Nothing is installed. What is asked are the queries of Mender's Update Modules v3 protocol, which change nothing, and a state that
nobody has heard of, to which a module answers with silence and success; all of it in a folder that is thrown away afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from devices.drivers.shell import Result, Shell
from devices.errors import CommandTimedOut
from updates.recipes.finding import Finding

LIMIT_SECONDS: Final = 30.0
MOST_MODULES: Final = 200
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LINE: Final = re.compile(r"([0-9a-f]{64}) [ *](.+)")
QUERIES: Final = {
    "ProvidePayloadFileSizes": ("Yes", "No"),
    "SupportsRollback": ("Yes", "No"),
    "NeedsArtifactReboot": ("Yes", "No", "Automatic"),
}
UNKNOWN: Final = "StateThatNobodyKnows"
CARRIED: Final = (
    'cd "$1" 2>/dev/null || exit 0; for f in *; do [ -f "$f" ] && [ -x "$f" ] && sha256sum "$f"; '
    "done; true"
)
SYNTAX: Final = {
    "sh": ["-n"],
    "ash": ["-n"],
    "dash": ["-n"],
    "bash": ["-n"],
    "python3": ["-c", "import ast, sys; ast.parse(open(sys.argv[1], 'rb').read())"],
    "perl": ["-c"],
}
"""How an interpreter says whether it can read a file, without running it."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What a script's first line asks for: the words of the call, and the program that has to be there."""

    words: list[str]
    program: str


def carried(shell: Shell, modules_dir: str) -> dict[str, str]:
    """The SHA-256 of each Update Module that the device has of its own, by payload type."""
    result = shell.run(["sh", "-c", CARRIED, "sh", modules_dir], limit_seconds=LIMIT_SECONDS)
    found = (LINE.fullmatch(line) for line in result.output.decode(errors="replace").split("\n"))
    named = {line[2]: line[1] for line in found if line and NAME.fullmatch(line[2])}
    return dict(list(named.items())[:MOST_MODULES])


def look_at_module(shell: Shell, *, content: bytes, folder: str, root: str) -> Iterator[Finding]:
    """A finding for each thing that the module needs on the device, and for each answer that it gives there.

    `folder` is made on the device and taken away again; `root` is where the device's file system begins for the module.
    """
    path = f"{folder}/module"
    try:
        shell.put_file(path, [content], mode=0o755)
        interpreter = interpreter_of(content)
        finding = _interpreter_finding(shell, interpreter)
        yield finding
        if finding.ok and interpreter is not None:
            yield from _syntax_finding(shell, interpreter, path)
        if finding.ok:
            for word, answers in QUERIES.items():
                yield _answer_finding(shell, path, word, answers, root=root)
            yield _silence_finding(shell, path, root=root)
    finally:
        shell.remove_tree(folder)


def interpreter_of(content: bytes) -> Interpreter | None:
    """What the first line asks for; None for a program that needs none."""
    if not content.startswith(b"#!"):
        return None
    words = content.split(b"\n", 1)[0][2:].decode(errors="replace").strip().split(None, 1)
    if len(words) == 2 and words[0].rsplit("/", 1)[-1] == "env":
        called = [word for word in words[1].split() if not word.startswith("-")]
        return Interpreter(words, called[0] if called else "")
    return Interpreter(words, words[0] if words else "")


def _interpreter_finding(shell: Shell, interpreter: Interpreter | None) -> Finding:
    what = "interpreter"
    if interpreter is None:
        return Finding(what, ok=True, says="It is a compiled program and needs no interpreter.")
    program = interpreter.program
    script = 'command -v "$1" >/dev/null && [ -n "$1" ]'
    found = shell.run(["sh", "-c", script, "sh", program], limit_seconds=LIMIT_SECONDS)
    if found.status == 0:
        return Finding(what, ok=True, says=f"The device has its interpreter, {program}.")
    return Finding(what, ok=False, says=f"The device lacks its interpreter, {program[:200]}.")


def _syntax_finding(shell: Shell, interpreter: Interpreter, path: str) -> Iterator[Finding]:
    program = interpreter.program
    words = SYNTAX.get(program.rsplit("/", 1)[-1])
    if words is None:
        return
    result = shell.run([program, *words, path], limit_seconds=LIMIT_SECONDS)
    if result.status == 0:
        yield Finding("syntax", ok=True, says=f"{program} can read it.")
    else:
        said = _last_line(result)
        yield Finding("syntax", ok=False, says=f"{program} cannot read it: {said}")


def _answer_finding(
    shell: Shell, path: str, word: str, answers: tuple[str, ...], *, root: str
) -> Finding:
    result = _call(shell, path, word, root=root)
    if result is None:
        return Finding(word, ok=False, says=f"{word}: no answer within {LIMIT_SECONDS:.0f} s.")
    if result.status != 0:
        return Finding(word, ok=False, says=f"{word}: it ended with status {result.status}.")
    said = result.output.decode(errors="replace").removesuffix("\n")
    if said == "":
        return Finding(word, ok=True, says=f"{word}: it says nothing, which means No.")
    if said in answers:
        return Finding(word, ok=True, says=f"{word}: {said}.")
    return Finding(
        word, ok=False, says=f"{word}: it says {said[:100]!r}, which is not {' or '.join(answers)}."
    )


def _silence_finding(shell: Shell, path: str, *, root: str) -> Finding:
    what, result = "unknown states", _call(shell, path, UNKNOWN, root=root)
    if result is not None and result.status == 0 and not result.output:
        return Finding(what, ok=True, says="It keeps silent about states that it does not know.")
    return Finding(
        what,
        ok=False,
        says="It must say nothing and end with status 0 for a state that it does not know.",
    )


def _call(shell: Shell, path: str, word: str, *, root: str) -> Result | None:
    """How the module answered; None when it did not in time."""
    folder = path.rsplit("/", 1)[0]
    try:
        return shell.run(
            ["sh", "-c", 'exec 2>/dev/null; exec "$@"', "sh", path, word, folder],
            limit_seconds=LIMIT_SECONDS,
            cwd=folder,
            env={"FLEETWRIGHT_ROOT": root.rstrip("/")},
            keep_bytes=1024,
        )
    except CommandTimedOut:
        return None


def _last_line(result: Result) -> str:
    lines = result.output.decode(errors="replace").strip().split("\n")
    return lines[-1][:200]
