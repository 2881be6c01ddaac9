"""One network, well fed: pictures in the order of their arrival, one thread each, as many at once as cores."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.adapters.machine.cpus import stand_back
from app.core.values import HeadOutputs, Network, Tissue, View


class Engine:
    """Runs one network for everybody; as a context it stops at the end. It is a network itself.

    A study's pictures are independent, so cores are shared out by pictures rather than inside each layer: no core
    waits for another at the end of every layer, or because something else ran on it in between. See decision 11.

    Parameters
    ----------
    network : Network
        Computes one call in the thread that calls.
    threads : int
    """

    def __init__(self, network: Network, threads: int) -> None:
        self._network = network
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="engine", initializer=stand_back)
        self._unanswered = 0
        self._lock = Lock()

    @property
    def has_a_free_core(self) -> bool:
        """Whether a picture would be looked at at once."""
        return self._unanswered < self._threads

    def ask(self, picture: NDArray[np.uint8], view: View) -> Future[HeadOutputs]:
        """Queue one picture behind those that came before.

        Parameters
        ----------
        picture : ndarray of uint8, shape (224, 224)
        view : View
            Whose heads answer.
        """
        with self._lock:
            self._unanswered += 1
        answer = self._pool.submit(self._network, picture[np.newaxis], [view])
        answer.add_done_callback(self._count_down)
        return answer

    def _count_down(self, _: object) -> None:
        with self._lock:
            self._unanswered -= 1

    def __call__(self, pictures: NDArray[np.uint8], views: Sequence[View]) -> HeadOutputs:
        """Queue a study's pictures, shape (n, 224, 224), and wait."""
        return gathered([self.ask(picture, view) for picture, view in zip(pictures, views, strict=True)])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Answer what waits, then stop."""
        self._pool.shutdown()


def gathered(answers: Iterable[Future[HeadOutputs]]) -> HeadOutputs:
    """Wait for all pictures of a study.

    Raises
    ------
    InferenceError
        If the network cannot be run.
    """
    values, cams = zip(*(answer.result() for answer in answers), strict=True)
    return HeadOutputs(np.concatenate(values), np.concatenate(cams))


class Inquiry:
    """What the network is asked about one study; as a context it takes back what nobody waits for any more.

    Parameters
    ----------
    engine : Engine
    to_picture : callable
        Makes the network's picture of a tissue crop.
    """

    def __init__(self, engine: Engine, to_picture: Callable[[Tissue], NDArray[np.uint8]]) -> None:
        self._engine = engine
        self._to_picture = to_picture
        self._asked: dict[tuple[View, Tissue], Future[HeadOutputs]] = {}

    def ask(self, view: View, tissue: Tissue) -> Future[HeadOutputs]:
        """Ask about one image, once."""
        if (view, tissue) not in self._asked:
            self._asked[view, tissue] = self._engine.ask(self._to_picture(tissue), view)
        return self._asked[view, tissue]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for answer in self._asked.values():
            answer.cancel()  # answered ones stay answered
