"""The machine's table as a picture: Mermaid's stateDiagram, for the architecture page. Pure."""

from __future__ import annotations

from updates.machine import TRANSITIONS, Arrow, State


def state_diagram() -> str:
    """Every arrow of the table, one line for each pair of states: its events, then what is decided there.

    The same table gives the same text. A cancel that is refused is no arrow, so it is not drawn.
    """
    lines = ["stateDiagram-v2", f"    [*] --> {State.PENDING}"]
    for state in State:
        events: dict[tuple[State, str], list[str]] = {}
        for (source, event), cell in TRANSITIONS.items():
            if source is state and isinstance(cell, Arrow):
                events.setdefault((cell.to, _decided(cell)), []).append(event.replace("_", " "))
        lines += [
            f"    {state} --> {follower}: {', '.join(words)}{decided}"
            for (follower, decided), words in events.items()
        ]
    lines.append(f"    {State.FINISHED} --> [*]")
    return "\n".join(lines) + "\n"


def _decided(arrow: Arrow) -> str:
    words = [
        *([arrow.outcome.replace("_", " ")] if arrow.outcome else []),
        *(["unchanged"] if arrow.unchanged else []),
        *(["with a warning"] if arrow.warns else []),
    ]
    return f" ({', '.join(words)})" if words else ""
