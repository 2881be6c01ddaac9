"""One network, well fed: pictures in the order of their arrival, one thread each, as many at once as cores."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.adapters.machine.cpus import stand_back
from app.core.values import HeadOutputs, Network, View


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
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="engine", initializer=stand_back)

    def submit(self, pictures: NDArray[np.uint8], views: Sequence[View]) -> "Pending":
        """Queue one study's pictures, shape (n, 224, 224), behind those that came before.

        Parameters
        ----------
        pictures : ndarray of uint8, shape (n, 224, 224)
        views : sequence of View, length n
            Whose heads answer.
        """
        asked = zip(pictures, views, strict=True)
        return Pending([self._pool.submit(self._network, picture[np.newaxis], [view]) for picture, view in asked])

    def __call__(self, pictures: NDArray[np.uint8], views: Sequence[View]) -> HeadOutputs:
        """Queue, and wait."""
        return self.submit(pictures, views).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Answer what waits, then stop."""
        self._pool.shutdown()


class Pending:
    """The answer to one study's pictures, once it is there."""

    def __init__(self, answers: Sequence[Future[HeadOutputs]]) -> None:
        self._answers = answers

    def result(self) -> HeadOutputs:
        """Wait for all pictures.

        Raises
        ------
        InferenceError
            If the network cannot be run.
        """
        values, cams = zip(*(answer.result() for answer in self._answers), strict=True)
        return HeadOutputs(np.concatenate(values), np.concatenate(cams))
