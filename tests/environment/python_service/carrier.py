"""Importing this first is how the system carries the agent. Settings come from the environment, the key from a file."""

from __future__ import annotations

import os
from pathlib import Path

import fleetwright_agent

HERE = Path(__file__).resolve().parent
PORT = os.environ.get("AGENT_PORT")

fleetwright_agent.start(
    root=str(HERE),
    folder=os.environ["AGENT_FOLDER"],
    key=Path(os.environ["AGENT_KEY_FILE"]).read_bytes(),
    version=(HERE / "VERSION").read_text().strip(),
    port=int(PORT) if PORT else None,
)
