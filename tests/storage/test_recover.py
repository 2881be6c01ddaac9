"""docs/recover.md, run as it stands there on a database with data, while somebody writes."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from app.adapters.storage.audit_trail import Action, AuditTrail
from app.adapters.storage.audit_trail import Event as Did
from app.adapters.storage.database import Database
from app.core.errors import StorageUnavailable
from tests.postgres import PostgresServer
from tests.storage.test_studies import FOUR, NEWER, SENDER, Rig

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```\n(.*?)^```$", (ROOT / "docs" / "recover.md").read_text(), re.MULTILINE | re.DOTALL)


def commands(beginning: str) -> str:
    [block] = [block for block in BLOCKS if block.startswith(beginning)]
    return str(block)


class Place:
    """A folder with a database, and the shell that an operator has there."""

    def __init__(self, folder: Path, url: str, **environment: str) -> None:
        self.folder, self.url = folder, url
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = os.environ | environment | {"PATH": programs, "PYTHONPATH": str(ROOT)}

    def run(self, block: str, url: str = "") -> str:
        command = ["bash", "-euo", "pipefail", "-c", block]
        environment = self.environment | {"LIVER_PDFF_DATABASE_URL": url or self.url}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, block + done.stdout + done.stderr
        return done.stdout


def absolute(url: str, folder: Path) -> str:
    return url.replace("sqlite:///", f"sqlite:///{folder}/")


def what_is_there(url: str) -> tuple[object, ...]:
    """Give what nobody may lose: analyses, the study's state, the trail without looks at it."""
    with Database(url) as database:
        rig = Rig(database)
        state = rig.state()
        trail = [each for each in AuditTrail(database.engine).records() if each.event.action != Action.EXPORT]
        used = [(each.id, each.estimate.pdff_percent) for each in state.analyses]
        return used, state.choices, rig.used(), [each for each in trail if each.event.subject != "meanwhile"]


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Place]:
    """A service's SQLite database: its newest rows are in the write-ahead log, for it is open."""
    place = Place(tmp_path, "sqlite:///var/liver-pdff.db")
    with Database(absolute(place.url, tmp_path)) as database:
        database.upgrade()
        Rig(database).send([*FOUR, NEWER])
        assert (tmp_path / "var" / "liver-pdff.db-wal").stat().st_size > 0
        yield place


class TestSqlite:
    def test_a_backup_of_a_database_at_work_holds_everything_and_can_be_restored(self, embedded: Place) -> None:
        before = what_is_there(absolute(embedded.url, embedded.folder))
        with somebody_who_writes(absolute(embedded.url, embedded.folder)):
            assert '"export"' in embedded.run(commands("liver-pdff db backup"))
        backup = embedded.folder / "backup.db"
        assert backup.stat().st_mode & 0o077 == 0
        assert what_is_there(f"sqlite:///{backup}") == before
        with Database(absolute(embedded.url, embedded.folder)) as database:
            Rig(database).retention.delete(before[0][0][0], SENDER)  # type: ignore[index] # the first analysis's id
        embedded.run(commands("rm -f var/liver-pdff.db"))
        assert what_is_there(absolute(embedded.url, embedded.folder)) == before

    def test_nothing_is_overwritten_and_a_failure_leaves_nothing(self, embedded: Place) -> None:
        with Database(absolute(embedded.url, embedded.folder)) as database:
            there = embedded.folder / "there.db"
            there.write_bytes(b"mine")
            with pytest.raises(FileExistsError):
                database.backup(there)
            assert there.read_bytes() == b"mine"
        (embedded.folder / "no.db").write_bytes(b"no database" * 1000)
        with Database(f"sqlite:///{embedded.folder}/no.db") as database, pytest.raises(StorageUnavailable):
            database.backup(embedded.folder / "copy.db")
        assert not (embedded.folder / "copy.db").exists()

    def test_the_schema_goes_back_and_forth_and_loses_nothing(self, embedded: Place) -> None:
        url = absolute(embedded.url, embedded.folder)
        before = what_is_there(url)
        embedded.run(commands("liver-pdff db downgrade"))
        embedded.run("liver-pdff db upgrade")
        assert what_is_there(url) == before


@pytest.mark.real
class TestPostgres:
    @pytest.fixture
    def served(self, postgres: PostgresServer, tmp_path: Path) -> Place:
        url = postgres.new_database()
        with Database(url) as database:
            database.upgrade()
            Rig(database).send([*FOUR, NEWER])
        address = {"PGHOST": "127.0.0.1", "PGPORT": str(postgres.port), "PGUSER": "postgres"}
        return Place(tmp_path, url, **address)

    def test_a_dump_is_restored_into_an_empty_database(self, served: Place) -> None:
        before = what_is_there(served.url)
        server, _, name = served.url.rpartition("/")
        with somebody_who_writes(served.url):
            served.run(commands("pg_dump").replace(" liver_pdff\n", f" {name}\n"))
        restored = f"{name}_restored"
        served.run(commands("createdb").replace("liver_pdff_restored", restored), f"{server}/{restored}")
        assert what_is_there(f"{server}/{restored}") == before
        with Database(f"{server}/{restored}") as database:
            Rig(database).send(FOUR[:1])
            ids = [record.id for record in AuditTrail(database.engine).records()]
        assert ids == sorted(set(ids)), "numbers go on where they ended"

    def test_the_schema_goes_back_and_forth_and_loses_nothing(self, served: Place) -> None:
        before = what_is_there(served.url)
        served.run(commands("liver-pdff db downgrade"))
        served.run("liver-pdff db upgrade")
        assert what_is_there(served.url) == before

    def test_our_own_backup_says_which_program_to_take(self, served: Place, tmp_path: Path) -> None:
        with Database(served.url) as database, pytest.raises(ValueError, match="pg_dump"):
            database.backup(tmp_path / "copy.db")


class somebody_who_writes:  # noqa: N801 - it is used as a function
    """Records one event after another for as long as a context lasts."""

    def __init__(self, url: str) -> None:
        self.url, self.enough = url, Event()
        self.thread = Thread(target=self._write)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.enough.set()
        self.thread.join()

    def _write(self) -> None:
        with Database(self.url) as database:
            while not self.enough.wait(0.01):
                AuditTrail(database.engine).record(SENDER, [Did(Action.READ, "meanwhile")])
