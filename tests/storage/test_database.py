"""The schema's version, and what every connection is set to."""

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError

from app.adapters.storage.audit_trail import AuditTrail
from app.adapters.storage.database import Database
from app.adapters.storage.tables import received_instances
from app.core.errors import StorageUnavailable
from app.main import create_app
from app.settings import Settings
from tests.factories import us_instance
from tests.postgres import PostgresServer
from tests.storage.test_studies import FOUR, NOT_OURS, STUDY, Rig


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


def test_what_was_there_before_goes_up_and_down_the_newest_steps(database: Database) -> None:
    """Events, instances that were set aside for texts and without, a study that nobody followed up."""
    rig = Rig(database)
    rig.send([*FOUR, *NOT_OURS, us_instance(view=None, attributes={"ProtocolName": "Liver kidney"}, pixels=BLACK)])
    before = what_is_there(rig)
    keys = evidence_keys(database)
    database.downgrade("0006")
    with database.engine.connect() as connection:
        columns = {each["name"] for each in inspect(connection).get_columns("audit_events")}
        assert not columns & {"detail", "times"}
    database.upgrade()
    assert what_is_there(rig) == before
    assert [key is None for key in evidence_keys(database)] == [key is None for key in keys]
    assert sorted(filter(None, keys)), "one of them carries a text that names a view"
    assert [[each.study_instance_uid for each in page] for page in rig.received.unsettled()] == [[STUDY]]
    rig.tidy()
    assert list(rig.received.unsettled()) == []
    assert what_is_there(rig) == before
    with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text("UPDATE audit_events SET times = 2"))


BLACK = np.zeros((240, 320), np.uint8)


def what_is_there(rig: Rig) -> tuple[object, ...]:
    trail = [record.event for record in AuditTrail(rig.received._engine).records()]
    state = rig.state()
    return state.choices, state.current and state.current.id, rig.received.what_tells(STUDY), rig.instances(), trail


def evidence_keys(database: Database) -> list[str | None]:
    query = select(received_instances.c.evidence_key).order_by(received_instances.c.sop_instance_uid)
    with database.engine.connect() as connection:
        return list(connection.execute(query).scalars())
