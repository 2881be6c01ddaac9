import threading

import pytest

from app.adapters.machine.background import Background

SOON_S = 0.005


class Work:
    """Fails as often as it is told, then works."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.broken: list[list[str]] = []
        self.done = threading.Event()
        self.failed: list[str] = []
        self.background = Background(self.failed.append)

    def __call__(self, _stopping: threading.Event) -> None:
        self.broken.append(self.background.broken())
        if len(self.broken) <= self.failures:
            raise KeyError("DOE^JANE")
        if len(self.broken) == self.failures + 2:
            self.done.set()


def test_work_that_fails_is_tried_again_counted_and_logged_without_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    work = Work(failures=2)
    with work.background.task("housekeeping", work, SOON_S, retry_s=SOON_S):
        assert work.done.wait(5)
    assert work.failed == ["housekeeping"] * 2
    assert "housekeeping failed and is tried again: cause=KeyError in=__call__:" in caplog.text
    assert "DOE" not in caplog.text


def test_what_fails_three_times_in_a_row_is_broken_until_it_works_again() -> None:
    work = Work(failures=4)
    with work.background.task("housekeeping", work, SOON_S, retry_s=SOON_S):
        assert work.done.wait(5)
    assert work.broken[:6] == [[], [], [], ["housekeeping"], ["housekeeping"], []]


def test_a_failure_does_not_keep_the_service_from_stopping() -> None:
    def work(_stopping: threading.Event) -> None:
        raise ValueError

    with Background().task("pulse", work, 3600, retry_s=3600):
        pass
