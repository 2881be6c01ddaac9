"""Drawing is Python's own work: few at a time, whoever asks."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from app.adapters import dicom_results
from app.api import renderings, reports
from app.api.runtime import RENDERINGS_AT_ONCE

CLIENTS = 10


class Drawing:
    """Takes a while, and counts how often it is done at the same time."""

    def __init__(self) -> None:
        self.now = self.most = self.total = 0
        self._lock = threading.Lock()

    def __call__(self, *_: object) -> bytes:
        with self._lock:
            self.now, self.total = self.now + 1, self.total + 1
            self.most = max(self.most, self.now)
        time.sleep(0.3)
        with self._lock:
            self.now -= 1
        return b"drawn"


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> Drawing:
    drawing = Drawing()
    monkeypatch.setattr(reports, "render_pdf", drawing)
    monkeypatch.setattr(dicom_results, "write_summary", drawing)
    return drawing


@pytest.fixture
def addresses(client: TestClient, phantom_study: dict[str, bytes]) -> list[str]:
    analysis = client.post("/v1/analyses", files=phantom_study).json()["id"]
    return [f"/v1/analyses/{analysis}/{form}" for form in ("report.pdf", "summary.dcm")] * (CLIENTS // 2)


def ask(client: TestClient, addresses: list[str]) -> list[int]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda address: client.get(address).status_code, addresses))


def test_few_are_drawn_at_a_time_and_all_are_answered(
    client: TestClient, addresses: list[str], drawing: Drawing
) -> None:
    assert ask(client, addresses) == [200] * CLIENTS
    assert (drawing.most, drawing.total) == (RENDERINGS_AT_ONCE, CLIENTS)


def test_more_than_may_wait_are_told_to_come_back(
    client: TestClient, addresses: list[str], drawing: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderings, "MAX_WAITING", 1)
    statuses = ask(client, addresses)
    assert set(statuses) == {200, 503}
    assert drawing.total == statuses.count(200)
    assert ask(client, addresses[:1]) == [200], "a place was not given back"
