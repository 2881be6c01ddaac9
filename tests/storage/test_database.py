"""The schema's version, and what every connection is set to."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.adapters.storage.database import Database
from app.core.errors import StorageUnavailable
from app.main import create_app
from app.settings import Settings
from tests.postgres import PostgresServer


def from_the_future(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def test_a_newer_schema_is_left_alone(database: Database) -> None:
    from_the_future(database)
    for attempt in (database.upgrade, database.downgrade, database.check):
        with pytest.raises(StorageUnavailable, match="newer version"):
            attempt()


def test_a_service_before_a_newer_schema_says_so(tmp_path: Path, bundle_folder: Path) -> None:
    url = f"sqlite:///{tmp_path}/test.db"
    with Database(url) as database:
        database.upgrade()
        from_the_future(database)
    with TestClient(create_app(Settings(bundle=bundle_folder, database_url=url, threads=1))) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "newer version" in answer.text


@pytest.mark.real
def test_a_commit_is_on_the_disk_whatever_the_server_is_set_to(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    with Database(url) as database, database.engine.connect() as connection:
        connection.execute(text("ALTER ROLE CURRENT_USER SET synchronous_commit = off"))
        connection.commit()
    try:
        with Database(url) as database, database.engine.connect() as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
    finally:
        with Database(url) as database, database.engine.begin() as connection:
            connection.execute(text("ALTER ROLE CURRENT_USER RESET synchronous_commit"))
