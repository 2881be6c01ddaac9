"""A network of one's own, for what listens on every interface: a test must not open a port to anybody else."""

import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def this_network() -> Path:
    """Where the network namespace of this thread is found."""
    return Path(f"/proc/self/task/{threading.get_native_id()}/ns/net")


@contextmanager
def own_network() -> Iterator[None]:
    """Move this thread, and every process that it starts, into a network namespace that has only a loopback.

    The same ports may be in use outside. See unshare(2), setns(2), netdevice(7).
    """
    if not (own := this_network()).exists():
        pytest.skip("this system has no network namespaces")
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open(own, os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip(f"no network of its own can be made (unshare): {os.strerror(ctypes.get_errno())}")
        try:
            _raise_loopback()
            yield
        finally:
            if libc.setns(before, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(before)


def _raise_loopback() -> None:
    with socket.socket() as control:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))
