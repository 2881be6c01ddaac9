"""Messages arrive whole or not at all."""

import socket
import threading
from collections.abc import Iterator

import pytest

from app.adapters.reading.channel import MAX_BYTES, receive, send

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("size", [0, 1, 8, 100_000, 5_000_000])
def test_messages_arrive_whole_and_in_order(pair: Pair, size: int) -> None:
    ours, theirs = pair
    messages = [bytes([number]) * size for number in range(3)]

    def send_all() -> None:
        for message in messages:
            send(ours, message)

    sender = threading.Thread(target=send_all)
    sender.start()
    assert [receive(theirs, patience_s=5) for _ in messages] == messages
    sender.join()


def test_an_end_is_an_end_wherever_it_comes() -> None:
    for sent in (b"", b"\x08\0\0", (8).to_bytes(8, "little") + b"1234567"):
        ours, theirs = socket.socketpair()
        with theirs:
            with ours:
                ours.sendall(sent)
            with pytest.raises(EOFError):
                receive(theirs, patience_s=5)


def test_who_is_silent_is_not_waited_for(pair: Pair) -> None:
    with pytest.raises(TimeoutError):
        receive(pair[1], patience_s=0.01)


def test_who_announces_too_much_gets_no_buffer(pair: Pair) -> None:
    ours, theirs = pair
    ours.sendall((MAX_BYTES + 1).to_bytes(8, "little"))
    with pytest.raises(OSError, match="length"):
        receive(theirs)
