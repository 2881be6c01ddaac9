"""kill -9 in the middle of a request: every answered analysis is there afterwards, and no half of another."""

import itertools
import random
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.adapters.storage.database import Database
from app.core.values import View
from tests.factories import four_view_study
from training.demo import RunningService, running_service, send
from training.phantom import write_study

SENDERS = 2


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    url: str = request.getfixturevalue("postgres").new_database()
    with Database(url) as database:
        database.upgrade()
    return url


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered about one study."""

    id: str
    content: bytes


def test_nothing_answered_is_lost_and_nothing_is_half(
    bundle_folder: Path, database_url: str, tmp_path: Path, kills: int
) -> None:
    rng = random.Random(7)
    answered: list[Answered] = []
    for round_number in range(kills):
        known = len(answered)
        with (
            running_service(bundle_folder, database_url, tmp_path / "service.log") as service,
            ThreadPoolExecutor(SENDERS) as senders,
        ):
            numbers = itertools.count(1000 * round_number)
            sending = [senders.submit(send_studies, service, numbers, answered) for _ in range(SENDERS)]
            wait_for_more_than(known, answered, sending)
            time.sleep(rng.uniform(0, 1))
            service.process.kill()
            for each in sending:
                each.result()
    assert len(answered) >= kills
    with running_service(bundle_folder, database_url, tmp_path / "service.log") as service:
        assert_all_there(service.client, answered)
    print(f"{kills} kills, {len(answered)} answers read back")


def wait_for_more_than(number: int, answered: list[Answered], sending: list[Future[None]]) -> None:
    """Wait until another study was answered, however slow the machine is."""
    while len(answered) <= number and not all(each.done() for each in sending):
        time.sleep(0.01)


def send_studies(service: RunningService, numbers: Iterator[int], answered: list[Answered]) -> None:
    """Send one study after another until the service is gone; remember every answer that came."""
    for number in numbers:
        study = four_view_study(study=number)
        files = {str(view): data for view, data in study.items()}
        try:
            answer = service.client.post("/v1/analyses", files=files)
        except httpx2.TransportError:
            return
        assert answer.status_code == 201
        answered.append(Answered(answer.json()["id"], answer.content))


def assert_all_there(client: httpx2.Client, answered: list[Answered]) -> None:
    """Every answer can be read back byte for byte; every stored analysis is whole, and its own."""
    for each in answered:
        assert client.get(f"/v1/analyses/{each.id}").content == each.content
    stored = list(all_stored(client))
    assert {each.id for each in answered} <= {each["id"] for each in stored}
    assert len({each["study_instance_uid"] for each in stored}) == len(stored), "a study was answered twice"
    for analysis in stored:
        assert [view["view"] for view in analysis["views"]] == list(View)
        assert client.get(analysis["views"][3]["overlay_url"]).is_success


def all_stored(client: httpx2.Client) -> Iterator[dict[str, Any]]:
    """Page through all analyses."""
    cursor: dict[str, str] | None = {}
    while cursor is not None:
        page = client.get("/v1/analyses", params={"limit": 100, **cursor}).json()
        yield from page["analyses"]
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None


def test_a_service_in_its_own_process_answers_a_phantom(bundle_folder: Path, tmp_path: Path) -> None:
    paths = write_study(tmp_path / "dicom", 3, seed=77, pdff_percent=20)
    url = f"sqlite:///{tmp_path}/test.db"
    with running_service(bundle_folder, url, tmp_path / "service.log") as service:
        assert send(service.client, paths)["complete"]
    log = (tmp_path / "service.log").read_text()
    assert "outcome=created" in log
    assert "PHANTOM" not in log
    assert "1.2.826" not in log, "a UID stands in the log"
