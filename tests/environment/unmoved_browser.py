#!/usr/bin/env python3
"""Becomes the browser that `UNMOVED_BROWSER` names, with all arguments, blind to changes of the machine's networks.

Chromium gives up every request, with ERR_NETWORK_CHANGED, when any address of the machine comes or goes (Chromium
issue 41465264), and here engines and devices of other tests come and go all the time. It hears of that over netlink;
where the kernel refuses it such a socket it takes the network for one that never changes. No switch says the same.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys

ALLOW = 0x7FFF0000  # SCMP_ACT_ALLOW of seccomp.h, as what follows
REFUSE = 0x00050000 | errno.EAFNOSUPPORT  # SCMP_ACT_ERRNO
EQUAL = 4  # SCMP_CMP_EQ
LIBRARY = "libseccomp.so.2"


class Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp`: the argument with this number, compared so with `datum`."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("datum", ctypes.c_uint64),
        ("other", ctypes.c_uint64),
    )


def refuse_netlink() -> None:
    """No socket of this process, and of what it becomes and starts, hears of networks. Raises OSError."""
    library = ctypes.CDLL(LIBRARY)
    library.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ALLOW)))
    call = library.seccomp_syscall_resolve_name(b"socket")
    family = Comparison(0, EQUAL, socket.AF_NETLINK, 0)
    failure = library.seccomp_rule_add_array(
        rules, ctypes.c_uint32(REFUSE), call, ctypes.c_uint(1), ctypes.byref(family)
    ) or library.seccomp_load(rules)
    if failure:
        raise OSError(-failure, f"seccomp: {os.strerror(-failure)}")


if __name__ == "__main__":
    refuse_netlink()
    browser = os.environ["UNMOVED_BROWSER"]
    os.execv(browser, [browser, *sys.argv[1:]])  # noqa: S606 (no shell is what is wanted)
