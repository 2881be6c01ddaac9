"""What the last check said is said at once, for as long as it means something."""

import threading
import time
import traceback

import pytest

from app.adapters.machine.background import Background
from app.adapters.storage.pulse import Pulse
from app.core.errors import StorageUnavailable

SOON_S = 0.01


class Fragile:
    """A check that can be made to fail, or to hang."""

    def __init__(self) -> None:
        self.is_broken = False
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.checks = 0

    def __call__(self) -> None:
        self.goes_on.wait()
        self.checks += 1
        if self.is_broken:
            raise StorageUnavailable("It is gone.")

    def wait_for_another(self) -> None:
        """Let one check begin and end."""
        enough = self.checks + 2
        while self.checks < enough:
            time.sleep(SOON_S)


def test_what_is_wrong_is_said_until_it_is_right_again() -> None:
    check = Fragile()
    pulse = Pulse(check)
    with Background().task("pulse", pulse.feel, SOON_S):
        pulse.require()
        check.is_broken = True
        check.wait_for_another()
        with pytest.raises(StorageUnavailable, match="gone"):
            pulse.require()
        check.is_broken = False
        check.wait_for_another()
        pulse.require()


def test_a_check_that_hangs_is_not_waited_for() -> None:
    check = Fragile()
    pulse = Pulse(check, stale_s=0.2)
    with Background().task("pulse", pulse.feel, SOON_S):
        check.goes_on.clear()
        time.sleep(0.3)
        started = time.monotonic()
        with pytest.raises(StorageUnavailable, match="too long"):
            pulse.require()
        assert time.monotonic() - started < 0.1
        check.goes_on.set()
        check.wait_for_another()
        pulse.require()


def test_what_is_said_often_does_not_grow() -> None:
    check = Fragile()
    check.is_broken = True
    lengths = set()
    pulse = Pulse(check)
    for _ in range(5):
        with pytest.raises(StorageUnavailable) as raised:
            pulse.require()
        lengths.add(len(traceback.extract_tb(raised.value.__traceback__)))
    assert len(lengths) == 1
