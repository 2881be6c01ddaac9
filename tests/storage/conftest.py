from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters.storage.database import Database
from tests.postgres import PostgresServer


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of each kind, brought up to date by the migrations."""
    url = f"sqlite:///{tmp_path}/folder/test.db"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.new_database()
    with Database(url) as database:
        database.upgrade()
        yield database
