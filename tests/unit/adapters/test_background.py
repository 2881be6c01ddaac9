import threading

import pytest

from app.adapters.machine.background import in_background


def test_work_that_fails_is_begun_again_counted_and_logged_without_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts: list[int] = []
    failures: list[str] = []
    done = threading.Event()

    def work(stopping: threading.Event) -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise KeyError("DOE^JANE")
        done.set()
        stopping.wait()

    with in_background("housekeeping", work, failures.append, retry_s=0.01):
        assert done.wait(5)
    assert failures == ["housekeeping"] * 2
    assert "housekeeping failed and is started again: cause=KeyError in=work:" in caplog.text
    assert "DOE" not in caplog.text


def test_a_failure_does_not_keep_the_service_from_stopping() -> None:
    def work(_stopping: threading.Event) -> None:
        raise ValueError

    with in_background("pulse", work, retry_s=3600):
        pass
