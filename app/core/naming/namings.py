"""Which view one text names."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.core.naming.expressions import compiled
from app.core.naming.languages import DEFAULT_VIEW_RULES, NEUTRAL
from app.core.naming.rules import ViewRule
from app.core.naming.texts import normalise
from app.core.values import View

LONGEST_TEXT = 256
"""Characters of the longest text that names a view: what is longer is a report, and bounds what a rule can cost."""

_DOUBT = re.compile(r"[?\uff1f\u061f](?!\w)|(?<!\w)[?\uff1f\u061f]")  # between letters, it is a character that got lost


class Naming(NamedTuple):
    """What one text says.

    Attributes
    ----------
    view : View
        The only view that it names.
    alone : bool
        Whether it names the view and nothing else but planes, the liver and numbers: of two images of a view, the one
        so named stands.
    """

    view: View
    alone: bool


def name_view(text: str, rules: Sequence[ViewRule] = DEFAULT_VIEW_RULES) -> Naming | None:
    """Tell which view one text names; None unless it is exactly one.

    Parameters
    ----------
    text : str
    rules : sequence of ViewRule

    Returns
    -------
    Naming or None
        None as well if the text expresses doubt, matches a rule without a view, or is too long for a name.
    """
    said = normalise(text) if len(text.strip()) <= LONGEST_TEXT and not _DOUBT.search(text) else ""
    spoken = [rule for rule in rules if compiled(rule.pattern).search(said)] if len(said) <= LONGEST_TEXT else []
    views = {rule.view for rule in spoken}
    view = views.pop() if len(views) == 1 else None
    return Naming(view, _says_nothing_else(said, spoken)) if view else None


def compile_rules(rules: Iterable[ViewRule]) -> None:
    """Compile all the rules, so that no text has to wait for it: those of eight languages take a second."""
    for rule in rules:
        compiled(rule.pattern)


def _says_nothing_else(said: str, rules: Iterable[ViewRule]) -> bool:
    named = {place for rule in rules for match in compiled(rule.pattern).finditer(said) for place in _named(match)}
    rest = "".join(" " if place in named else char for place, char in enumerate(said))
    return NEUTRAL.fullmatch(rest) is not None


def _named(match: re.Match[str]) -> range:
    return range(*match.span("view" if "view" in match.re.groupindex else 0))
