"""A core that is free begins with an image before the study is whole, but not in vain where that can be told."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from app.adapters.reading.allowance import Allowance
from app.adapters.storage.audit_trail import AuditTrail
from app.adapters.storage.database import Database
from app.adapters.storage.repository import AnalysisRepository
from app.adapters.telemetry.metrics import Metrics
from app.core.access import Actor
from app.core.errors import IncompleteStudy
from app.core.naming import DEFAULT_VIEW_RULES
from app.core.values import Content, Crop, View
from app.service import AnalysisService, Part
from tests.factories import four_view_study
from tests.fakes import FakeNetwork, ReadersInProcess, fake_bundle

SENDER = Actor("key:0123abcd", "192.0.2.7")
SMALL: dict[str, Any] = {"rows": 240, "columns": 320}
PARTS = [Part(view, content, View(view)) for view, content in four_view_study(**SMALL).items()]
PATIENCE_S = 2.0


class Readers(ReadersInProcess):
    """Waits with the last image, for a while, until the network has been asked about another one."""

    def __init__(self, network: FakeNetwork) -> None:
        super().__init__()
        self.network = network
        self.saw_a_head_start = False

    def read(self, content: Content, *, declared: bool = False, allowance: Allowance | None = None) -> Crop:
        deadline = time.monotonic() + PATIENCE_S
        while content == PARTS[-1].content and not self.saw_a_head_start and time.monotonic() < deadline:
            self.saw_a_head_start = bool(self.network.batches)
            time.sleep(0.001)
        return super().read(content)


class Rig:
    """A service whose network and readers are watched."""

    def __init__(self, database: Database) -> None:
        self.network = FakeNetwork()
        bundle = fake_bundle()
        self.readers = Readers(self.network)
        self.service = AnalysisService(
            replace(bundle, model=replace(bundle.model, network=self.network)),
            AnalysisRepository(database.engine),
            AuditTrail(database.engine),
            Metrics(),
            readers=self.readers,
            view_rules=DEFAULT_VIEW_RULES,
            max_instance_bytes=1 << 20,
            threads=2,
        )


@pytest.fixture
def rig(database: Database) -> Iterator[Rig]:
    rig = Rig(database)
    with closing(rig.service):
        yield rig


def test_the_network_begins_before_the_last_image_is_read(rig: Rig) -> None:
    _, is_new = rig.service.analyse(PARTS, SENDER)
    assert is_new
    assert rig.readers.saw_a_head_start
    assert rig.network.batches == [1, 1, 1, 1], "every image is asked about once"


def test_a_repeat_is_not_computed(rig: Rig) -> None:
    rig.service.analyse(PARTS, SENDER)
    _, is_new = rig.service.analyse(PARTS, SENDER)
    assert not is_new
    assert len(rig.network.batches) == 4


def test_a_study_that_cannot_be_whole_is_not_computed(rig: Rig) -> None:
    with pytest.raises(IncompleteStudy):
        rig.service.analyse(PARTS[:3], SENDER)
    time.sleep(0.05)
    assert rig.network.batches == []
