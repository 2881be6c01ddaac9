"""Disks that fill up, disks that are slow, clocks that jump, replicas that race: refused or waited for, never wrong."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text

from app import looking, service
from app.adapters.storage import audit_trail
from app.adapters.storage.database import Database
from app.core.errors import StorageUnavailable
from app.core.values import View
from tests.conftest import ServiceFactory
from tests.factories import four_view_study, us_instance
from training.demo import running_service

SMALL_DISK_BYTES = 48 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 48 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = f"size={SMALL_DISK_BYTES}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here: that needs root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def shared_database(request: pytest.FixtureRequest) -> str:
    """An up-to-date PostgreSQL database that several services may use."""
    url: str = request.getfixturevalue("postgres").new_database()
    with Database(url) as database:
        database.upgrade()
    return url


def post(client: httpx2.Client | TestClient, study: int, **arguments: int) -> Any:
    files = {str(view): data for view, data in four_view_study(study=study, **arguments).items()}
    return client.post("/v1/analyses", files=files)


def test_a_full_disk_is_a_503_and_loses_nothing(bundle_folder: Path, small_disk: Path, tmp_path: Path) -> None:
    with running_service(bundle_folder, f"sqlite:///{small_disk}/test.db", tmp_path / "service.log") as running:
        answers = [post(running.client, 0)]
        ballast = small_disk / "ballast"
        fill(ballast)
        for study in count(1):
            refused = post(running.client, study)
            if refused.status_code != 201:
                break
            answers.append(refused)
        assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")
        assert "Retry-After" in refused.headers
        assert running.client.get("/livez").is_success
        ballast.unlink()
        answers.append(again := post(running.client, study))
        assert again.status_code == 201
        for answer in answers:
            assert running.client.get(answer.headers["Location"]).content == answer.content


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    with path.open("wb", buffering=0) as file, suppress(OSError):  # it is full
        while True:
            file.write(bytes(4096))


def test_a_full_disk_for_temporary_files_is_a_503(bundle_folder: Path, small_disk: Path, tmp_path: Path) -> None:
    """Files above 4 MiB wait there for the rest of their form."""
    large = {str(view): us_instance(view=view, rows=2400, columns=3200) for view in View}
    url = f"sqlite:///{tmp_path}/test.db"
    log, environment = tmp_path / "service.log", {"TMPDIR": str(small_disk)}
    with running_service(bundle_folder, url, log, environment=environment) as running:
        assert post_one(running.client, large).status_code == 201
        fill(small_disk / "ballast")
        refused = running.client.post("/v1/analyses", files=large)
        assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")
        assert "Retry-After" in refused.headers
        assert post(running.client, 1).status_code == 201, "a study that needs no temporary file"
        (small_disk / "ballast").unlink()
        assert post_one(running.client, large).status_code == 200
    assert "No space left on device" in log.read_text()


@pytest.mark.parametrize("purpose", ["the database", "temporary files"])
def test_readiness_knows_a_full_disk(
    serve: ServiceFactory, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, purpose: str
) -> None:
    on_disk = {"the database": {"database_url": f"sqlite:///{small_disk}/test.db"}, "temporary files": {}}
    if purpose == "temporary files":
        monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with serve(**on_disk[purpose]) as client:
        assert wait_for(client, 200) == {"status": "ready"}
        ballast = small_disk / "ballast"
        fill(ballast)
        problem = wait_for(client, 503)
        assert problem["code"] == "storage_unavailable"
        assert f"disk for {purpose} is full" in problem["detail"]
        assert str(small_disk) not in str(problem)
        assert client.get("/livez").is_success
        ballast.unlink()
        assert wait_for(client, 200) == {"status": "ready"}


def wait_for(client: TestClient, status: int) -> Any:
    """Ask whether the service is ready until it says so, or not: the disk is looked at once a second."""
    deadline = time.monotonic() + 10
    while (answer := client.get("/readyz")).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
    return answer.json()


@pytest.mark.real
def test_a_database_that_is_read_only_is_not_ready(shared_database: str) -> None:
    with Database(shared_database) as database:
        database.check()
        with database.engine.begin() as connection:
            name = connection.execute(text("SELECT current_database()")).scalar()
            connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    with Database(shared_database) as database, pytest.raises(StorageUnavailable, match="takes no writes"):
        database.check()


def post_one(client: httpx2.Client, files: dict[str, bytes]) -> httpx2.Response:
    return client.post("/v1/analyses", files=dict(list(files.items())[:1]), data={"allow_partial": "true"})


@pytest.mark.real
def test_two_replicas_give_one_study_one_analysis(bundle_folder: Path, shared_database: str, tmp_path: Path) -> None:
    with (
        running_service(bundle_folder, shared_database, tmp_path / "one.log") as one,
        running_service(bundle_folder, shared_database, tmp_path / "two.log") as two,
        ThreadPoolExecutor(8) as pool,
    ):
        for study in range(3):
            answers = list(pool.map(lambda client, study=study: post(client, study), 4 * [one.client, two.client]))
            assert sorted(answer.status_code for answer in answers) == 7 * [200] + [201]
            assert len({answer.content for answer in answers}) == 1
        assert len(one.client.get("/v1/analyses").json()["analyses"]) == 3
        assert one.client.get("/v1/analyses").json() == two.client.get("/v1/analyses").json()


@pytest.mark.real
def test_a_slow_disk_makes_answers_late_and_nothing_else(
    bundle_folder: Path, shared_database: str, tmp_path: Path
) -> None:
    slow_down_inserts(shared_database)
    with (
        running_service(bundle_folder, shared_database, tmp_path / "service.log") as running,
        ThreadPoolExecutor(4) as pool,
    ):
        pending = [pool.submit(post, running.client, study) for study in range(4)]
        health: list[float] = []
        while not all(each.done() for each in pending):
            started = time.perf_counter()
            assert running.client.get("/livez").is_success
            health.append(time.perf_counter() - started)
        assert [each.result().status_code for each in pending] == 4 * [201]
        assert max(health) < 1, "health does not wait for the disk"


SLOW = """
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON analyses FOR EACH ROW EXECUTE FUNCTION wait();
"""


def slow_down_inserts(url: str) -> None:
    """Make every insert of an analysis take two seconds, as on a disk that is busy with something else."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(SLOW))
    engine.dispose()


class JumpingClock(datetime):
    """The wall clock, `offset` away from the truth."""

    offset = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override] # a plain one does
        """Tell the time that the clock shows."""
        return datetime.now(tz) + cls.offset


@pytest.mark.parametrize("days", [10, -10])
def test_a_clock_that_jumps_changes_no_answer(client: TestClient, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    for module in (service, looking, audit_trail):
        monkeypatch.setattr(module, "datetime", JumpingClock)
    monkeypatch.setattr(JumpingClock, "offset", timedelta())
    answers = [post(client, 0)]
    monkeypatch.setattr(JumpingClock, "offset", timedelta(days=days))
    answers += [post(client, 1), post(client, 0)]
    assert [answer.status_code for answer in answers] == [201, 201, 200]
    first, second, again = (answer.json() for answer in answers)
    assert first == again
    gap = datetime.fromisoformat(second["created_at"]) - datetime.fromisoformat(first["created_at"])
    assert abs(gap - timedelta(days=days)) < timedelta(minutes=1), "the jump was seen"
    for answer in answers:
        assert client.get(answer.headers["Location"]).content == answer.content
    assert {each["id"] for each in paged(client)} == {first["id"], second["id"]}
    actions = [json.loads(line)["action"] for line in client.get("/v1/audit").text.splitlines()]
    assert actions[:3] == ["submit", "submit", "repeat"], "the trail keeps the order in which things happened"


def paged(client: TestClient) -> Iterator[dict[str, Any]]:
    """Page through all analyses, one at a time."""
    cursor: dict[str, Any] | None = {}
    while cursor is not None:
        page = client.get("/v1/analyses", params={"limit": 1, **cursor}).json()
        yield from page["analyses"]
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None


def test_the_model_folder_is_only_read(bundle_copy: Path, tmp_path: Path) -> None:
    """So that it may be mounted read-only, and nothing that the service does can alter a bundle."""
    for path in (bundle_copy, *bundle_copy.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = state(bundle_copy)
    with running_service(bundle_copy, f"sqlite:///{tmp_path}/test.db", tmp_path / "service.log") as running:
        assert post(running.client, 1).status_code == 201
    assert state(bundle_copy) == before


def state(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in (folder, *folder.rglob("*"))}
