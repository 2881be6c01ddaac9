"""A service in its own process: killed between two views, sent everything three times, sent far too much."""

import logging
import random
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from app.adapters.storage.database import Database
from tests.factories import four_view_study, uid
from tests.stow import BOUNDARY, CONTENT_TYPE, DICOM_PART, failure_reasons, related, store
from training.demo import RunningService, running_service

STUDY = uid("study", 1, 1)
FOUR = list(four_view_study().values())
MIB = 1 << 20


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    url: str = request.getfixturevalue("postgres").new_database()
    with Database(url) as database:
        database.upgrade()
    return url


@pytest.fixture(scope="module")
def service(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    with running_service(bundle_folder, f"sqlite:///{folder}/test.db", folder / "service.log") as service:
        yield service


def state(client: httpx2.Client) -> dict[str, Any]:
    return dict(client.get(f"/v1/studies/{STUDY}").json())


def count(client: httpx2.Client) -> int:
    return len(client.get("/v1/analyses", params={"study_instance_uid": STUDY}).json()["analyses"])


def test_killed_between_the_third_and_the_fourth_view(bundle_folder: Path, database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    with running_service(bundle_folder, database_url, log) as service:
        for content in FOUR[:3]:
            assert store(service.client, [content]).status_code == 200
        service.process.kill()
    with running_service(bundle_folder, database_url, log) as service:
        assert state(service.client)["analysis"] is None
        for content in [FOUR[3], *FOUR * 2]:
            assert store(service.client, [content]).status_code == 200
        assert state(service.client)["analysis"]["complete"]
        assert count(service.client) == 1
    assert "2.25." not in log.read_text(), "a UID stands in the log"


def test_killed_in_the_middle_of_a_request(bundle_folder: Path, tmp_path: Path) -> None:
    """However far it came, the next attempt leads to one analysis."""
    database, log = f"sqlite:///{tmp_path}/test.db", tmp_path / "service.log"
    with (
        running_service(bundle_folder, database, log) as service,
        socket.create_connection(("127.0.0.1", service.client.base_url.port or 0)) as connection,
    ):
        connection.sendall(request(related(FOUR)))
        time.sleep(random.Random(3).uniform(0.05, 0.3))
        service.process.kill()
    with running_service(bundle_folder, database, log) as service:
        assert store(service.client, FOUR).status_code == 200
        assert state(service.client)["analysis"]["complete"]
        assert count(service.client) == 1


class TestDicomwebClient:
    def test_stores_a_study_without_special_settings(self, service: RunningService) -> None:
        web = pytest.importorskip("dicomweb_client")
        logging.getLogger("dicomweb_client").setLevel(logging.WARNING)
        client = web.DICOMwebClient(f"{service.client.base_url}/dicom-web".replace("//dicom", "/dicom"))
        datasets = [dcmread(DicomBytesIO(content)) for content in FOUR]
        for study in (None, STUDY):
            answer = client.store_instances(datasets, study_instance_uid=study)
            assert len(answer.ReferencedSOPSequence) == 4
            assert "FailedSOPSequence" not in answer
        assert state(service.client)["analysis"]["complete"]
        assert count(service.client) == 1


class TestMemory:
    """One part at a time is held, whatever is sent."""

    def test_a_part_without_end_costs_no_more_than_the_largest_instance(self, service: RunningService) -> None:
        def body() -> Iterator[bytes]:
            yield b"--" + BOUNDARY.encode() + b"\r\n" + DICOM_PART + b"Content-Length: 2147483648\r\n\r\n"
            yield from (bytes(MIB) for _ in range(400))
            yield b"\r\n--" + BOUNDARY.encode() + b"--"

        store(service.client, [bytes(33 * MIB)])
        with flat_memory(service, 80 * MIB):
            answer = service.client.post("/dicom-web/studies", content=body(), headers={"content-type": CONTENT_TYPE})
        assert answer.status_code == 409
        assert failure_reasons(answer, "0008119A") == [0xC000]

    def test_a_hundred_large_instances_cost_no_more_than_one(self, service: RunningService) -> None:
        def body() -> Iterator[bytes]:
            for _ in range(100):
                yield related([bytes(8 * MIB)])[: -len(BOUNDARY) - 6]
            yield b"--" + BOUNDARY.encode() + b"--"

        store(service.client, [bytes(33 * MIB)])
        with flat_memory(service, 80 * MIB):
            answer = service.client.post("/dicom-web/studies", content=body(), headers={"content-type": CONTENT_TYPE})
        assert len(failure_reasons(answer, "0008119A")) == 100

    def test_ten_thousand_tiny_parts_are_refused(self, service: RunningService) -> None:
        with flat_memory(service, 30 * MIB):
            assert store(service.client, [b"x"] * 10_000).status_code == 413

    def test_what_announces_five_gigabytes_is_not_read(self, service: RunningService) -> None:
        answer = exchange(service, head(5 << 30))
        assert b" 413 " in answer.partition(b"\r\n")[0]

    def test_a_sender_that_goes_away_leaves_nothing(self, service: RunningService) -> None:
        before = instances_in(service)
        with socket.create_connection(("127.0.0.1", service.client.base_url.port or 0)) as connection:
            connection.sendall(head(2 << 30) + related([bytes(MIB)])[:MIB])
        assert service.client.get("/readyz").is_success
        assert instances_in(service) == before


class TestMalformed:
    """What no multipart reader can make sense of is told so, and leaves neither memory nor a file behind."""

    @pytest.mark.parametrize(
        ("body", "content_type", "status"),
        [
            pytest.param(related(FOUR), CONTENT_TYPE.partition("; boundary")[0], 400, id="no boundary in the header"),
            pytest.param(bytes(MIB), CONTENT_TYPE, 400, id="no boundary in the body"),
            pytest.param(related(FOUR)[: -len(BOUNDARY) - 6], CONTENT_TYPE, 400, id="no closing boundary"),
            pytest.param(related(FOUR)[:-200_000], CONTENT_TYPE, 400, id="cut in the last instance"),
            pytest.param(b"some text\r\n" * 20_000 + related(FOUR), CONTENT_TYPE, 400, id="a preamble without end"),
            pytest.param(b"some text\r\n" + related(FOUR), CONTENT_TYPE, 200, id="a short preamble"),
            pytest.param(related([b"x"] * 10_000), CONTENT_TYPE, 413, id="10,000 tiny parts"),
            pytest.param(related(FOUR), "application/dicom", 415, id="another media type"),
        ],
    )
    def test_the_status_says_it_and_nothing_is_left(
        self, service: RunningService, body: bytes, content_type: str, status: int
    ) -> None:
        store(service.client, FOUR)
        before = open_files(service), temporary_files()
        with flat_memory(service, 60 * MIB):
            answer = service.client.post("/dicom-web/studies", content=body, headers={"content-type": content_type})
        assert answer.status_code == status, answer.text
        assert (open_files(service), temporary_files()) == before
        assert count(service.client) == 1


def temporary_files() -> set[Path]:
    """What Python programs have left in the folder for temporary files."""
    return set(Path(tempfile.gettempdir()).glob("tmp*"))


def open_files(service: RunningService) -> set[str]:
    """Name the regular files that the process has open, deleted ones included."""
    folder = Path(f"/proc/{service.process.pid}/fd")
    if not folder.exists():
        pytest.skip("this system does not tell a process's open files")
    return {str(link.readlink()) for link in folder.iterdir() if str(link.readlink()).startswith("/")}


def head(content_length: int) -> bytes:
    return (
        f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {content_length}\r\nConnection: close\r\n\r\n"
    ).encode()


def request(body: bytes) -> bytes:
    return head(len(body)) + body


def exchange(service: RunningService, sent: bytes) -> bytes:
    """Send bytes and read until the service closes."""
    with socket.create_connection(("127.0.0.1", service.client.base_url.port or 0), timeout=30) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def instances_in(service: RunningService) -> dict[str, str]:
    """What the service has counted as received."""
    lines = service.client.get("/metrics").text.splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if line.startswith("liver_pdff_received_instances_total"))


@contextmanager
def flat_memory(service: RunningService, allowed: int) -> Iterator[None]:
    """Compare the most memory that the process ever held, before and after."""
    before = peak_bytes(service)
    yield
    assert peak_bytes(service) - before < allowed


def peak_bytes(service: RunningService) -> int:
    status = Path(f"/proc/{service.process.pid}/status")
    if not status.exists():
        pytest.skip("this system does not tell a process's memory")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
