"""What tests share: one real bundle a session, a service on a fresh database, real parts where they are installed."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.adapters.bundle.store import Bundle, load_bundle
from app.core.values import View
from app.main import create_app
from app.settings import Settings
from tests.postgres import PostgresServer, find_postgres
from training.demo import DemoPlan, build_demo_bundle
from training.phantom import write_study

SMALL_PLAN = DemoPlan(n_training=48, n_held_out=16, n_calibration=2, n_rows=1)
"""Enough that each of the four folds sees every stratum; the figures of such a bundle mean nothing."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a long look be asked for: make test ARGS='tests/storage/test_kill.py --kills 200'."""
    parser.addoption("--kills", type=int, default=4, help="kill -9 so many times on each database")
    parser.addoption("--events", type=int, default=1600, help="ship so many records of the audit trail")
    parser.addoption(
        "--examples",
        type=int,
        default=300,
        help="make so many hostile objects, and a twentieth as many calls of each kind",
    )


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How often the service is killed."""
    return int(request.config.getoption("--kills"))


@pytest.fixture
def audited_events(request: pytest.FixtureRequest) -> int:
    """How many records are shipped."""
    return int(request.config.getoption("--events"))


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    """How many objects are made."""
    return int(request.config.getoption("--examples"))


@pytest.fixture(scope="session")
def bundle_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in which the session's bundle is made, one for all of its processes; its cohorts stay."""
    folder = tmp_path_factory.getbasetemp()
    work = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "work"
    work.mkdir(exist_ok=True)
    return work


@pytest.fixture(scope="session")
def bundle_folder(bundle_work: Path) -> Path:
    """A real bundle, made by the project's own commands from a small phantom cohort."""
    folder = bundle_work / "models" / "demo" / "1.0.0"
    with (bundle_work / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other processes wait until the first has made it
        if not folder.exists():
            build_demo_bundle(folder, bundle_work, SMALL_PLAN)
    return folder


@pytest.fixture(scope="session")
def bundle(bundle_folder: Path) -> Bundle:
    """The session's bundle, loaded and verified."""
    return load_bundle(bundle_folder, threads=2)


@pytest.fixture
def bundle_copy(bundle_folder: Path, tmp_path: Path) -> Path:
    """A bundle that a test may damage."""
    return Path(shutil.copytree(bundle_folder, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def phantom_study(tmp_path_factory: pytest.TempPathFactory) -> dict[View, bytes]:
    """Four DICOM files of one participant whom no cohort holds."""
    paths = write_study(tmp_path_factory.mktemp("study"), 1, seed=77, pdff_percent=15)
    return {view: path.read_bytes() for view, path in paths.items()}


@pytest.fixture(scope="session")
def other_study(tmp_path_factory: pytest.TempPathFactory) -> dict[View, bytes]:
    """Four DICOM files of another participant."""
    paths = write_study(tmp_path_factory.mktemp("other"), 2, seed=77, pdff_percent=4)
    return {view: path.read_bytes() for view, path in paths.items()}


ServiceFactory = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture(scope="session")
def serve(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ServiceFactory:
    """Start a service with given settings on a database of its own."""

    @contextmanager
    def start(**settings: object) -> Iterator[TestClient]:
        database = f"sqlite:///{tmp_path_factory.mktemp('database')}/test.db"
        chosen = {"bundle": bundle_folder, "database_url": database, "threads": 2} | settings
        with TestClient(create_app(Settings(**chosen))) as client:  # type: ignore[arg-type] # settings by name
            yield client

    return start


@pytest.fixture
def client(serve: ServiceFactory) -> Iterator[TestClient]:
    """A service on an empty database."""
    with serve() as client:
        yield client


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL server on the loopback."""
    binaries = find_postgres()
    if binaries is None:
        pytest.skip("PostgreSQL's initdb and postgres are not installed")
    with PostgresServer(binaries) as server:
        yield server


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real weights and pictures, where LIVER_PDFF_SHARED_DATA names their folder."""
    folder = os.environ.get("LIVER_PDFF_SHARED_DATA")
    if not folder:
        pytest.skip("LIVER_PDFF_SHARED_DATA names no folder with real weights and images")
    return Path(folder)


@pytest.fixture(scope="session")
def command() -> Callable[[str], str]:
    """Find a program, or skip and name it."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed")
        return found

    return find


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program and keep what it prints."""
    return subprocess.run([str(each) for each in arguments], capture_output=True, text=True, check=False)
