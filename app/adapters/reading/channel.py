"""Messages between the service and a reader: eight bytes of length, then the message, over a socket.

`multiprocessing.connection` does the same, but asks for a buffer of the whole message for every piece that arrives.
"""

import errno
import socket
import struct
from typing import Final

from app.core.values import Content

_LENGTH: Final = struct.Struct("<Q")
MAX_BYTES: Final = 1 << 30
"""No file and no crop comes near; whoever announces more does not get a buffer for it."""

DECLARED: Final = b"declared"
UNDECLARED: Final = b"undeclared"
"""Before an object that is to be read: whether its sender named the view."""
INTRODUCE: Final = b"introduce"
"""Before an object of which only its introduction is wanted."""
NOTHING_MORE: Final = b""
"""After a crop or an introduction: that it is the last answer. The processor time follows, packed by `SECONDS`."""
SECONDS: Final = struct.Struct("<d")


def send(channel: socket.socket, message: Content) -> None:
    """Send one message.

    Raises
    ------
    OSError
        If the other side is gone.
    """
    channel.sendall(_LENGTH.pack(len(message)))
    channel.sendall(message)


def receive(channel: socket.socket, patience_s: float | None = None) -> bytes:
    """Wait for one message.

    Parameters
    ----------
    channel : socket
    patience_s : float, optional
        So long it may be until the message begins.

    Raises
    ------
    EOFError
        If the other side has closed the socket.
    OSError
        If it is gone or silent, or announces more than `MAX_BYTES`.
    """
    channel.settimeout(patience_s)
    (length,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size))
    channel.settimeout(None)
    if length > MAX_BYTES:
        raise OSError(errno.EMSGSIZE, "a message of that length is none")
    return _exactly(channel, length)


def _exactly(channel: socket.socket, count: int) -> bytes:
    message = channel.recv(count, socket.MSG_WAITALL)
    if len(message) < count:
        raise EOFError
    return message
