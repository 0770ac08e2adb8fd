"""Scripts that die at one of their commands: of a run of many, each one comes to be the last."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_SHIM = """\
#!/bin/sh
# Ends the script that calls this one, with all of its subshells, when it is the call that is meant.
n=$(($({cat} "$COUNT") + 1))
echo "$n" >"$COUNT"
if [ "$n" -eq "$KILL_AT" ]; then kill -KILL 0; fi
exec {real} "$@"
"""


@dataclass(frozen=True, slots=True)
class Killing:
    """Stands in for programs, which do their work, but for the call that is killed instead."""

    folder: Path

    @classmethod
    def of(cls, folder: Path, names: Iterable[str]) -> Killing:
        """Calls of these programs are counted."""
        (folder / "programs").mkdir(parents=True)
        for name in names:
            path = folder / "programs" / name
            real, cat = shutil.which(name), shutil.which("cat")
            path.write_text(_SHIM.replace("{real}", str(real)).replace("{cat}", str(cat)))
            path.chmod(0o755)
        return cls(folder)

    def run(self, text: str, words: Sequence[str], *, at: int) -> bool:
        """Whether the script died at its call number `at`; else it has ended well before."""
        count = self.folder / "count"
        count.write_text("0")
        env = {
            "PATH": f"{self.folder / 'programs'}:{os.environ['PATH']}",
            "COUNT": str(count),
            "KILL_AT": str(at),
        }
        finished = subprocess.run(
            ["sh", "-c", text, "sh", *words],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
        )
        if finished.returncode == -signal.SIGKILL:
            return True
        assert finished.returncode == 0, finished.stdout.decode(errors="replace")
        return False
