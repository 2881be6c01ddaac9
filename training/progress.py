"""Progress for whoever waits."""

import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], label: str, total: int, unit: str) -> Iterable[T]:
    """Show a bar with the time left; where nobody watches (a log), a line now and then.

    Parameters
    ----------
    items : iterable
    label : str
    total : int
        How many items there will be.
    unit : str
        What one is called.

    Returns
    -------
    iterable
    """
    watched = sys.stderr.isatty()
    return tqdm(items, label, total, unit=unit, mininterval=0.1 if watched else 10, dynamic_ncols=watched)
