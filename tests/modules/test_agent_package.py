"""The `agent` package that is brought to devices, as scripts of modules use it: in a process of its own, and nothing else."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from updates.formats.module_image import read_environment
from updates.recipes.module.tree import AGENT

BEFORE = b"B=2=3\nA= x \nno variable here\n#C=4\nRAW=\xff\n"


class Instance:
    """An instance's state directory, and Python scripts run in it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.file = state / "environment"

    def start(self, script: str, **env: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-S", "-c", textwrap.dedent(script)]
        given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(AGENT), **env}
        return subprocess.Popen(
            words, cwd=self.state, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(self, script: str, **env: str) -> tuple[int, str, str]:
        """Status, output and errors."""
        process = self.start(script, **env)
        out, errors = process.communicate(timeout=60)
        return process.returncode, out.decode(), errors.decode(errors="replace")

    def values(self) -> dict[str, str]:
        return read_environment(self.file.read_bytes()).values


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    made = Instance(tmp_path)
    made.file.write_bytes(BEFORE)
    made.file.chmod(0o640)
    return made


def test_a_variable_that_is_set_is_in_the_file_and_the_rest_stays(instance: Instance) -> None:
    status, out, errors = instance.run(
        """
        import agent, os
        agent.set_env("PORT", 8080)
        agent.mset_env({"D": "a b", "E": ""})
        agent.unset_env("B")
        agent.unset_env("MISSING")
        agent.dump_env()
        assert "PORT" not in os.environ
        """
    )
    assert (status, out) == (0, "")
    assert "line 3 sets no variable" in errors
    assert instance.file.read_bytes() == b"A= x \nD=a b\nE=\nPORT=8080\nRAW=\xff\n"
    assert instance.file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in instance.state.iterdir()) == [
        ".environment.lock",
        "environment",
    ]


def test_the_state_directory_may_be_another_than_the_working_one(
    instance: Instance, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert instance.run("import agent; agent.set_env('A', 1)", AGENT_STATE_DIR=str(other))[0] == 0
    assert (other / "environment").read_bytes() == b"A=1\n"
    assert (other / "environment").stat().st_mode & 0o777 == 0o600
    assert instance.file.read_bytes() == BEFORE


@pytest.mark.parametrize(
    "call",
    [
        "set_env('A', 'secret\\nB=1')", "set_env('A=B', 'secret')", "set_env('', 'secret')",
        "mset_env({'OK': '1', 'A': 'secret\\0'})", "unset_env('#A')",
    ],
)  # fmt: skip
def test_what_a_line_cannot_carry_changes_nothing_and_is_not_shown(
    instance: Instance, call: str
) -> None:
    status, _, errors = instance.run(f"import agent\nagent.{call}")
    assert status == 1
    assert "ValueError" in errors
    assert "secret" not in errors.splitlines()[-1]
    assert instance.file.read_bytes() == BEFORE


def test_many_at_a_time_lose_nothing(instance: Instance) -> None:
    started = [
        instance.start(f"import agent\nfor n in range(20): agent.set_env('V{who}', n)")
        for who in range(6)
    ]
    assert [process.wait(60) for process in started] == [0] * 6
    for process in started:
        process.communicate()
    assert {instance.values()[f"V{who}"] for who in range(6)} == {"19"}


def test_files_are_read_and_written_as_the_portal_does(instance: Instance) -> None:
    status, _, errors = instance.run(
        """
        import agent
        values = agent.read_envfile("environment")
        assert values["B"] == "2=3", values
        agent.write_envfile("copy.env", values)
        """
    )
    assert (status, "copy.env" in errors) == (0, False)
    copy = instance.state / "copy.env"
    assert read_environment(copy.read_bytes()).values == instance.values()


def test_a_helper_s_status_is_an_answer_and_its_output_goes_to_stderr(instance: Instance) -> None:
    status, out, errors = instance.run(
        """
        import agent, subprocess
        answer = agent.run_helper("sh", "-c", "echo said; exit 7", "a b")
        assert answer.returncode == 7
        agent.run_helper("echo", "hidden-words", log_command=False, stdout=subprocess.DEVNULL)
        agent.run_helper("true").check_returncode()
        """
    )
    assert (status, out) == (0, "")
    assert errors == "<7>sh -c 'echo said; exit 7' 'a b'\nsaid\n<7>true\n"


def test_a_helper_s_progress_is_part_of_ours(instance: Instance) -> None:
    status, _, errors = instance.run(
        """
        import agent, sys
        child = "import agent; [agent.set_progress(n) for n in (10, 50, 40, 90)]"
        part = agent.get_progress_callback(20, 60)
        agent.run_helper(sys.executable, "-c", child, log_command=False, progress_callback=part)
        agent.set_weight("50 steps", 3)
        agent.set_status("validation-failed")
        """
    )
    assert status == 0, errors
    assert errors.splitlines() == [
        "set-progress 24",
        "set-progress 40",
        "set-progress 56",
        "set-progress 60",
        'set-weight "50 steps" 3',
        "set-status validation-failed",
    ]


def test_an_assertion_that_fails_ends_the_script_with_status_2(instance: Instance) -> None:
    status, _, errors = instance.run(
        """
        import agent
        agent.assert_exp(1 == 1)
        agent.assert_exp(False, "the database is gone")
        agent.set_env("A", "never")
        """
    )
    assert status == 2
    assert errors.startswith("the database is gone\n")
    assert instance.file.read_bytes() == BEFORE


def test_what_belongs_to_a_cluster_says_so(instance: Instance) -> None:
    status, _, errors = instance.run("import agent\nagent.redis_connect(privileged=True)")
    assert status == 1
    assert "agent.redis_connect is not available" in errors


def test_names_of_images(instance: Instance) -> None:
    names = "ghcr.io/nethserver/dokuwiki:1.0", "ghcr.io/a/b@sha256:00", "localhost:5000/c", "d"
    script = f"import agent\nprint([agent.get_image_name_from_url(name) for name in {names!r}])"
    assert instance.run(script)[1] == "['dokuwiki', 'b', 'c', 'd']\n"


def test_it_is_written_for_python_3_6_and_imports_nothing_but_the_standard_library() -> None:
    files = sorted((AGENT / "agent").glob("*.py"))
    assert len(files) > 3
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 6))):
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] in {*sys.stdlib_module_names, "agent"}
                assert node.module != "__future__"
            if isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= sys.stdlib_module_names


def program(folder: Path, name: str) -> Path:
    """One that says how it was called."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text('#!/bin/sh\nprintf "%s" "${0##*/}"; printf " [%s]" "$@"\n')
    path.chmod(0o755)
    return folder


def podman(*words: str, path: list[Path]) -> tuple[int, str]:
    found = [str(AGENT / "bin"), *(str(folder) for folder in path)]
    finished = subprocess.run(
        ["podman", *words],
        env={"PATH": ":".join(found)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=30,
        check=False,
    )
    return finished.returncode, finished.stdout.decode()


@pytest.mark.skipif(
    Path("/usr/bin/podman").exists(), reason="This machine has a podman of its own."
)
def test_podman_is_docker_where_there_is_none(tmp_path: Path) -> None:
    docker = program(tmp_path / "docker", "docker")
    for word in ("exec", "image", "inspect", "ps", "rm", "run", "volume"):
        assert podman(word, "a b", "*", path=[docker]) == (0, f"docker [{word}] [a b] [*]")
    status, said = podman("generate", "systemd", path=[docker])
    assert status == 125
    assert "'podman generate' has no counterpart" in said


def test_podman_is_podman_where_there_is_one(tmp_path: Path) -> None:
    docker, real = program(tmp_path / "docker", "docker"), program(tmp_path / "real", "podman")
    assert podman("generate", "a b", path=[docker, real]) == (0, "podman [generate] [a b]")
