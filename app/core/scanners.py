"""Which scanner an image comes from, in the operator's own words: what a sender writes stands in no metric."""

from collections.abc import Sequence
from typing import Final

OTHER: Final = "other"


def name_scanner(model: str, known: Sequence[str]) -> str:
    """Find a scanner's model among those that the operator tells apart.

    Parameters
    ----------
    model : str
        (0008,1090) Manufacturer's Model Name.
    known : sequence of str

    Returns
    -------
    str
        As it stands in `known`, case and blanks aside, or `OTHER`.
    """
    return next((name for name in known if _plain(name) == _plain(model)), OTHER)


def _plain(name: str) -> str:
    return "".join(name.casefold().split())
