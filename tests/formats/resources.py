"""How much memory it takes to write, read, sign and unpack a large artifact: measured in a process of its own.

`python -m tests.formats.resources MIB FOLDER` does all of it with a payload of MIB, and prints JSON: bytes above the idle process
at its peak, for each of the works, and the seconds they took.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from updates.formats.mender_artifact import (
    ArtifactSpec,
    Packing,
    file_at,
    open_payload,
    read_artifact,
    read_signing_key,
    sign_artifact,
    write_artifact,
)

MIB = 2**20
LONGEST_SECONDS = 1800


def measure(mib: int, *, folder: Path, packing: Packing = Packing.GZIP) -> dict[str, float]:
    """What the works take, each in bytes above the idle process, with a payload of `mib` MiB that is hard to pack.

    `folder` needs room for three times the payload.
    """
    command = [sys.executable, "-m", __name__, str(mib), str(folder), packing]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=LONGEST_SECONDS,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _main(mib: int, folder: Path, packing: Packing) -> dict[str, float]:
    payload, plain, signed = (folder / name for name in ("payload", "a.mender", "b.mender"))
    block = bytes(range(256)) * (MIB // 256)
    with payload.open("wb") as file:
        for number in range(mib):
            file.write(number.to_bytes(8) + block[8:])
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key = read_signing_key(pem)
    spec = ArtifactSpec("big", ("box",), "directory", files=(file_at(payload),), packing=packing)
    write_artifact(ArtifactSpec("small", ("box",), "directory"), io.BytesIO())  # all is imported

    def write() -> None:
        with plain.open("wb") as out:
            write_artifact(spec, out, key=key)

    def read() -> None:
        with plain.open("rb") as file:
            assert read_artifact(file).files[0].size == mib * MIB

    def sign() -> None:
        with plain.open("rb") as file, signed.open("wb") as out:
            sign_artifact(file, key, out)

    def unpack() -> None:
        with signed.open("rb") as file:
            sizes = (len(piece) for one in open_payload(file).files() for piece in one.chunks())
            assert sum(sizes) == mib * MIB

    idle = _peak_bytes()
    taken: dict[str, float] = {}
    works: dict[str, Callable[[], None]] = {
        "write": write,
        "read": read,
        "sign": sign,
        "unpack": unpack,
    }
    for name, work in works.items():
        begun = time.monotonic()
        work()
        taken[f"{name}_seconds"] = round(time.monotonic() - begun, 1)
        taken[f"{name}_bytes"] = _peak_bytes() - idle
    return taken


def _peak_bytes() -> int:
    """The most memory that this process ever held: it never goes down, so that the works share what the first took.

    Not `ru_maxrss`, which a process inherits from who started it.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_main(int(sys.argv[1]), Path(sys.argv[2]), Packing(sys.argv[3]))))
