"""kill -9 in the middle of a request: every answered analysis is there afterwards, and no half of another."""

import random
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.adapters.database import Database
from app.core.values import View
from tests.factories import four_view_study
from training.demo import RunningService, running_service, send
from training.phantom import write_study

ROUNDS = 4


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    url: str = request.getfixturevalue("postgres").new_database()
    with Database(url) as database:
        database.upgrade()
    return url


def test_nothing_answered_is_lost_and_nothing_is_half(bundle_folder: Path, database_url: str, tmp_path: Path) -> None:
    rng = random.Random(7)
    answered: list[dict[str, Any]] = []
    for round_number in range(ROUNDS):
        with running_service(bundle_folder, database_url, tmp_path / "service.log") as service:
            assert_all_there(service.client, answered)
            sender = threading.Thread(target=send_studies, args=(service, round_number, answered))
            sender.start()
            wait_for_more_than(len(answered), answered, sender)
            time.sleep(rng.uniform(0, 0.6))
            service.process.kill()
            sender.join()
    with running_service(bundle_folder, database_url, tmp_path / "service.log") as service:
        assert_all_there(service.client, answered)
    assert len(answered) >= ROUNDS


def wait_for_more_than(number: int, answered: list[dict[str, Any]], sender: threading.Thread) -> None:
    """Wait until another study was answered, however slow the machine is."""
    while len(answered) <= number and sender.is_alive():
        time.sleep(0.01)


def send_studies(service: RunningService, round_number: int, answered: list[dict[str, Any]]) -> None:
    """Send one study after another until the service is gone; remember every answer that came."""
    for number in range(1000):
        study = four_view_study(study=1000 * round_number + number)
        files = {str(view): data for view, data in study.items()}
        try:
            answer = service.client.post("/v1/analyses", files=files)
        except httpx2.TransportError:
            return
        assert answer.status_code == 201
        answered.append(answer.json())


def assert_all_there(client: httpx2.Client, answered: list[dict[str, Any]]) -> None:
    """Every answer can be read back as it was given; every stored analysis is whole."""
    for analysis in answered:
        assert client.get(f"/v1/analyses/{analysis['id']}").json() == analysis
    stored = client.get("/v1/analyses", params={"limit": 100}).json()["analyses"]
    assert {each["id"] for each in answered} <= {each["id"] for each in stored}
    for analysis in stored:
        assert [view["view"] for view in analysis["views"]] == list(View)
        assert client.get(analysis["views"][3]["overlay_url"]).is_success


def test_a_service_in_its_own_process_answers_a_phantom(bundle_folder: Path, tmp_path: Path) -> None:
    paths = write_study(tmp_path / "dicom", 3, seed=77, pdff_percent=20)
    url = f"sqlite:///{tmp_path}/test.db"
    with running_service(bundle_folder, url, tmp_path / "service.log") as service:
        assert send(service.client, paths)["complete"]
    log = (tmp_path / "service.log").read_text()
    assert "outcome=created" in log
    assert "PHANTOM" not in log
    assert "1.2.826" not in log, "a UID stands in the log"
