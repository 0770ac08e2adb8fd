"""Writes into a SQLite database without a pause until it is killed: each row twice in one transaction. Old ones go."""

from __future__ import annotations

import sqlite3
import sys

KEPT = 3000


def main(path: str, mode: str) -> None:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode={mode}")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("CREATE TABLE IF NOT EXISTS pairs (number INTEGER, side TEXT, filler TEXT)")
    connection.execute("CREATE INDEX IF NOT EXISTS by_number ON pairs (number, filler)")
    number = 0
    while True:
        number += 1
        filler = f"{number:08d}" * (number % 200)
        connection.execute("BEGIN IMMEDIATE")
        for side in ("left", "right"):
            connection.execute("INSERT INTO pairs VALUES (?, ?, ?)", (number, side, filler))
        connection.execute("DELETE FROM pairs WHERE number = ?", (number - KEPT,))
        connection.execute("COMMIT")
        if number == 100:
            print("writing", flush=True)  # noqa: T201 - whoever started us waits for it


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
