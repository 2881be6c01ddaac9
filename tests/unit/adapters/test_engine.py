import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
import pytest

from app.adapters.bundle.engine import Engine, Inquiry, gathered
from app.core.errors import InferenceFailed
from app.core.values import HeadOutputs, Tissue, TissueBox, View
from tests.fakes import FakeNetwork

PICTURES = np.random.default_rng(1).integers(0, 256, (4, 224, 224), dtype=np.uint8)


class Gate(FakeNetwork):
    """Waits until it is opened, and remembers whom it answered, in which order and how many at once."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()
        self.order: list[int] = []
        self.running = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, pictures: np.ndarray, views: Sequence[View]) -> HeadOutputs:
        with self.lock:
            self.order.append(int(pictures[0, 0, 0]))
            self.running += 1
            self.most = max(self.most, self.running)
        self.opened.wait(10)
        with self.lock:
            self.running -= 1
        return super().__call__(pictures, views)


def ask(engine: Engine, pictures: np.ndarray) -> list[Future[HeadOutputs]]:
    return [engine.ask(picture, view) for picture, view in zip(pictures, View, strict=False)]


def test_a_study_is_answered_as_in_one_call() -> None:
    with Engine(FakeNetwork(), threads=3) as engine:
        values, cams = engine(PICTURES, list(View))
    expected = FakeNetwork()(PICTURES, list(View))
    np.testing.assert_allclose(values, expected.values)
    np.testing.assert_allclose(cams, expected.cams)


def test_who_came_first_is_served_first() -> None:
    network = Gate()
    with Engine(network, threads=1) as engine:
        studies = [ask(engine, np.full((2, 224, 224), n, np.uint8)) for n in range(5)]
        network.opened.set()
        for study in studies:
            gathered(study)
    assert network.order == [n for n in range(5) for _ in range(2)]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_as_many_pictures_are_computed_at_once_as_there_are_threads(threads: int) -> None:
    network = Gate()
    with Engine(network, threads) as engine:
        pending = [ask(engine, PICTURES) for _ in range(3)]
        while network.running < threads:
            network.opened.wait(0.001)
        network.opened.set()
        for each in pending:
            gathered(each)
    assert network.most == threads


def test_a_failure_reaches_the_one_who_asked_and_nobody_else() -> None:
    class Choosy(FakeNetwork):
        def __call__(self, pictures: np.ndarray, views: Sequence[View]) -> HeadOutputs:
            if pictures.max() == 0:
                raise InferenceFailed("black")
            return super().__call__(pictures, views)

    with Engine(Choosy(), threads=2) as engine:
        bad, good = ask(engine, np.zeros_like(PICTURES)), ask(engine, PICTURES)
        with pytest.raises(InferenceFailed, match="black"):
            gathered(bad)
        assert gathered(good).values.shape == (4, 3)


def test_what_waits_is_answered_before_it_stops() -> None:
    engine = Engine(FakeNetwork(), threads=1)
    pending = [ask(engine, PICTURES) for _ in range(3)]
    engine.close()
    assert all(gathered(each).values.shape == (4, 3) for each in pending)
    with pytest.raises(RuntimeError, match="shutdown"):
        ask(engine, PICTURES)


def test_a_core_is_free_until_as_many_pictures_wait_as_there_are_cores() -> None:
    network = Gate()
    with Engine(network, threads=2) as engine:
        free = []
        for picture in PICTURES[:3]:
            free.append(engine.has_a_free_core)
            engine.ask(picture, View.LIVER_KIDNEY)
        network.opened.set()
        deadline = time.monotonic() + 10
        while not engine.has_a_free_core:
            assert time.monotonic() < deadline
    assert free == [True, True, False]


class TestInquiry:
    def test_an_image_is_asked_about_once_and_what_nobody_waits_for_is_taken_back(self) -> None:
        network = Gate()
        first, second = (Tissue(picture, TissueBox(0, 0, 224, 224), "image") for picture in PICTURES[:2])
        with Engine(network, threads=1) as engine:
            with Inquiry(engine, lambda tissue: tissue.pixels) as inquiry:
                running = inquiry.ask(View.LIVER_KIDNEY, first)
                assert inquiry.ask(View.LIVER_KIDNEY, first) is running
                assert inquiry.ask(View.HEPATIC_VEINS, first) is not running
                waiting = inquiry.ask(View.LIVER_KIDNEY, second)
                while not network.running:
                    network.opened.wait(0.001)
            network.opened.set()
            assert running.result().values.shape == (1, 3)
        assert waiting.cancelled()
        assert len(network.order) == 1
