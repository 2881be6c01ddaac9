import threading
from collections.abc import Sequence

import numpy as np
import pytest

from app.adapters.bundle.engine import Engine
from app.core.errors import InferenceFailed
from app.core.values import HeadOutputs, View
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


def test_a_study_is_answered_as_in_one_call() -> None:
    with Engine(FakeNetwork(), threads=3) as engine:
        values, cams = engine(PICTURES, list(View))
    expected = FakeNetwork()(PICTURES, list(View))
    np.testing.assert_allclose(values, expected.values)
    np.testing.assert_allclose(cams, expected.cams)


def test_who_came_first_is_served_first() -> None:
    network = Gate()
    with Engine(network, threads=1) as engine:
        studies = [engine.submit(np.full((2, 224, 224), n, np.uint8), list(View)[:2]) for n in range(5)]
        network.opened.set()
        for study in studies:
            study.result()
    assert network.order == [n for n in range(5) for _ in range(2)]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_as_many_pictures_are_computed_at_once_as_there_are_threads(threads: int) -> None:
    network = Gate()
    with Engine(network, threads) as engine:
        pending = [engine.submit(PICTURES, list(View)) for _ in range(3)]
        while network.running < threads:
            network.opened.wait(0.001)
        network.opened.set()
        for each in pending:
            each.result()
    assert network.most == threads


def test_a_failure_reaches_the_one_who_asked_and_nobody_else() -> None:
    class Choosy(FakeNetwork):
        def __call__(self, pictures: np.ndarray, views: Sequence[View]) -> HeadOutputs:
            if pictures.max() == 0:
                raise InferenceFailed("black")
            return super().__call__(pictures, views)

    with Engine(Choosy(), threads=2) as engine:
        bad, good = engine.submit(np.zeros_like(PICTURES), list(View)), engine.submit(PICTURES, list(View))
        with pytest.raises(InferenceFailed, match="black"):
            bad.result()
        assert good.result().values.shape == (4, 3)


def test_what_waits_is_answered_before_it_stops() -> None:
    engine = Engine(FakeNetwork(), threads=1)
    pending = [engine.submit(PICTURES, list(View)) for _ in range(3)]
    engine.close()
    assert all(each.result().values.shape == (4, 3) for each in pending)
    with pytest.raises(RuntimeError, match="shutdown"):
        engine.submit(PICTURES, list(View))
