"""Opening a database and bringing its schema up to date."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Self

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, column, create_engine, event, inspect, make_url, select, table, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from app.adapters.machine.room import check_room
from app.core.errors import StorageUnavailable

_IS_READ_ONLY = text("SELECT current_setting('transaction_read_only')")
_VERSIONS = table("alembic_version", column("version_num"))
_MIGRATIONS = Path(__file__).parents[3] / "migrations"
POSTGRES_IDLE_TIMEOUT_MS = 30_000
"""A transaction of a process that hangs is rolled back after this: it would hold up the export of the audit trail."""
SQLITE_BUSY_TIMEOUT_MS = 5_000
POSTGRES_CONNECT_TIMEOUT_S = 3
POSTGRES_STATEMENT_TIMEOUT_MS = 5_000
POOL_TIMEOUT_S = 5
"""These are below the half minute after which a client gives up and sends again."""
RETRY_AFTER_S = 5


@contextmanager
def storage_errors() -> Iterator[None]:
    """Name the driver's failures; broken constraints and impossible values are faults of ours, and pass."""
    try:
        yield
    except (IntegrityError, DataError):
        raise
    except (DBAPIError, PoolTimeoutError) as error:
        raise StorageUnavailable(
            "The database does not answer. Nothing was stored: send again in a moment.", retry_after_s=RETRY_AFTER_S
        ) from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that is committed at the end, or leaves nothing behind."""
    with storage_errors(), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads, and sees one state of the database throughout (SQLite always does)."""
    options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with storage_errors(), engine.connect().execution_options(writes=False, **options) as connection:
        yield connection


class Database:
    """An open database; as a context it closes itself.

    Parameters
    ----------
    url : str
        SQLAlchemy URL: ``sqlite:///var/liver-pdff.db`` or ``postgresql+psycopg://user:password@host/database``.

    Attributes
    ----------
    engine : Engine
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
            self.is_embedded = parsed.get_backend_name() == "sqlite"
            self.engine = _open_sqlite(parsed) if self.is_embedded else _open_postgres(parsed)
        except (ArgumentError, ImportError) as error:
            raise StorageUnavailable(
                "LIVER_PDFF_DATABASE_URL is no URL of SQLite or PostgreSQL (postgresql+psycopg://…) that can be opened."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()

    def upgrade(self, revision: str = "head") -> None:
        """Apply the migrations up to a revision."""
        self._migrate(command.upgrade, revision)

    def downgrade(self, revision: str = "base") -> None:
        """Take the migrations back down to a revision."""
        self._migrate(command.downgrade, revision)

    def _migrate(self, verb: Callable[[Config, str], None], revision: str) -> None:
        config = _config()
        with storage_errors(), self.engine.begin() as connection:
            _refuse_newer(_applied_revisions(connection))
            if not self.is_embedded:
                connection.exec_driver_sql("SET statement_timeout = 0")  # a large table may take its time
            config.attributes["connection"] = connection
            verb(config, revision)

    def check(self) -> None:
        """Ask the database for an answer, for its schema, and whether it can be written.

        Raises
        ------
        StorageUnavailable
            If it does not answer, if a migration has not been applied, or if nothing can be stored.
        """
        with reading(self.engine) as connection:
            applied = _applied_revisions(connection)
            if not self.is_embedded and connection.execute(_IS_READ_ONLY).scalar() == "on":
                raise StorageUnavailable(
                    "The database takes no writes: it is a standby, or set to be read only. Name the primary in "
                    "LIVER_PDFF_DATABASE_URL.",
                    retry_after_s=RETRY_AFTER_S,
                )
        if folder := self._folder():
            check_room(folder, "the database")
        _refuse_newer(applied)
        if applied != newest_revisions():
            raise StorageUnavailable(
                "The database's schema is not this version's. Run `liver-pdff db upgrade`.",
                applied=list(applied),
                expected=list(newest_revisions()),
            )

    def _folder(self) -> Path | None:
        """Name the folder of an embedded database; None for one in memory, and for a server's."""
        path = self.engine.url.database if self.is_embedded else None
        return Path(path).parent if path and path != ":memory:" else None

    def backup(self, path: Path) -> None:
        """Copy an embedded database, in one state, while others go on writing; what was deleted is not in the copy.

        Parameters
        ----------
        path : Path
            Of a file that does not exist yet.

        Raises
        ------
        StorageUnavailable
            If the database cannot be read, or the copy has no room.
        ValueError
            If it is not SQLite's: PostgreSQL has programs for that.
        FileExistsError
        """
        if not self.is_embedded:
            raise ValueError("The database is PostgreSQL's: back it up with pg_dump; see docs/recover.md.")
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # crops of patients: its owner's alone
        try:
            with storage_errors(), self.engine.connect() as connection:
                _copy_into(path, connection)
            _to_the_disk(path)
        except BaseException:
            path.unlink()
            raise


def _copy_into(path: Path, connection: Connection) -> None:
    driver = connection.connection.driver_connection
    assert driver  # noqa: S101 - it is connected
    try:
        with closing(driver.cursor()) as cursor:  # not SQLAlchemy's, which would begin a transaction
            cursor.execute("VACUUM INTO ?", [str(path)])
    except sqlite3.Error as error:
        raise StorageUnavailable("The database does not answer, or its copy has no room.") from error


def _to_the_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def open_current(url: str) -> Iterator[Database]:
    """Open a database whose schema is this version's; an embedded one is brought up to date on the way.

    Raises
    ------
    StorageUnavailable
        If it does not answer, or a migration has not been applied.
    """
    with Database(url) as database:
        if database.is_embedded:
            database.upgrade()
        database.check()
        yield database


def _refuse_newer(applied: Sequence[str]) -> None:
    """Raise StorageUnavailable if this version does not know a revision: a later version has made the schema."""
    if unknown := set(applied) - _revisions():
        raise StorageUnavailable(
            f"The database's schema is of a newer version of liver-pdff ({', '.join(sorted(unknown))}). Install that "
            "version again, or restore the backup that was made before it.",
            applied=list(applied),
            expected=list(newest_revisions()),
        )


def _applied_revisions(connection: Connection) -> tuple[str, ...]:
    """Ask as Alembic does, once a second: its own question is another one each time, compiled, kept and logged."""
    if not inspect(connection).has_table(_VERSIONS.name):
        return ()
    return tuple(connection.scalars(select(_VERSIONS.c.version_num)))


@cache
def newest_revisions() -> tuple[str, ...]:
    """Name the revision that this version of the service needs."""
    return tuple(ScriptDirectory.from_config(_config()).get_heads())


@cache
def _revisions() -> frozenset[str]:
    return frozenset(each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _open_postgres(url: URL) -> Engine:
    """Bound every wait: a server that hangs must not take the worker threads with it."""
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=POOL_TIMEOUT_S,
        hide_parameters=True,
        connect_args={
            "connect_timeout": POSTGRES_CONNECT_TIMEOUT_S,
            # A commit waits for the disk even if the server is set not to: an answer must survive a crash.
            "options": f"-c statement_timeout={POSTGRES_STATEMENT_TIMEOUT_MS} -c synchronous_commit=on "
            f"-c idle_in_transaction_session_timeout={POSTGRES_IDLE_TIMEOUT_MS}",
        },
    )


def _open_sqlite(url: URL) -> Engine:
    """Make the folder, and set every connection up for concurrent use."""
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, pool_timeout=POOL_TIMEOUT_S, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """WAL lets readers go on while one writes; FULL makes a commit outlive a power cut."""
    connection.isolation_level = None  # our own BEGIN, see _begin_sqlite
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-512",  # KiB a connection: crops are read once, and every thread may have a connection
        "secure_delete=ON",  # what is deleted is overwritten, not only forgotten
        f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once for a write: a read that turns into a write cannot wait and fails instead."""
    writes = connection.get_execution_options().get("writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
