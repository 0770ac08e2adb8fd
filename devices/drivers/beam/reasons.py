"""What the node's side calls a result, and the sentence for it."""

from __future__ import annotations

from typing import Final

SENTENCES: Final = {
    "system_library": "This is a part of Erlang/OTP or Elixir: system libraries are not patched.",
    "newer_runtime": "The node's runtime does not take this code: it is damaged, or was compiled for a newer runtime.",
    "load_refused": "The node does not load this code: {info}.",
    "too_large": "Unpacked, this code is larger than any module may be.",
    "not_a_file": "What lies there is no regular file.",
    "unreadable": "The node cannot read the file: {info}.",
    "write_failed": "The node cannot write the file: {info}.",
    "verify_failed": "Asked afterwards, the node runs other code than was loaded.",
    "memory_only": "The new code runs, its file could not be put in place ({info}), and the previous code does not come back.",
    "loaded_differs": "The code that runs is not that of its file, so that the file cannot bring it back.",
    "not_a_module": "This is no Erlang module, or a damaged one.",
    "path_not_canonical": "The path is not a plain relative one.",
    "outside_root": "The path leads out of the system's folder, or there is no such folder.",
    "name_mismatch": "The module in this file is named {info}.",
    "other_path": "The node has this module from {info}.",
    "not_on_code_path": "The node loads no code from this folder.",
    "lingering": "{lingering} still in older code: they go on, and a restart of the node brings the new code in.",
    "loaded_meanwhile": "The node loaded the older file while it was patched: apply again, or restart it.",
    "load_failed": "What the new code does when it is loaded failed: the previous code goes on.",
    "load_timed_out": "What the new code does when it is loaded did not end in time: the previous code goes on.",
    "same_code": "The node runs this code already; comments, line numbers and attributes do not count.",
    "absent": "There is no such file.",
    "not_loaded": "The node has not loaded this module.",
    "not_loaded_embedded": "The node has not loaded this module, and loads none by itself: it can from its next start on.",
    "loadable": "The node takes this code.",
    "loaded": "The node runs this code.",
    "removable": "It will be removed.",
    "removed": "It was removed.",
    "writable": "It will be copied.",
    "written": "It was copied.",
    "same_bytes": "It is there already.",
}


def sentence(reason: str, *, info: str = "", lingering: int = 0) -> str:
    """What `reason` means. One that is not known is shown as it is."""
    slug = f"{reason}_{info}" if f"{reason}_{info}" in SENTENCES else reason
    count = "1 process is" if lingering == 1 else f"{lingering} processes are"
    said = SENTENCES.get(slug, reason).format(info=info or "no reason given", lingering=count)
    if reason == "loaded" and lingering:
        return f"{said} {count} still in the code before it."
    return said
