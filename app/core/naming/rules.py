"""Rules: regular expressions over a text in one form, each of which names a view."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from app.core.values import View


@dataclass(frozen=True, slots=True)
class ViewRule:
    """A site's way of naming a view.

    Attributes
    ----------
    view : View
    pattern : str
        Regular expression, searched in the text after it is lower-cased and every run of other characters
        than letters and digits is turned into one space.
    examination : bool
        Whether the rule also counts, by itself, on a text that describes the whole examination.
    """

    view: View
    pattern: str
    examination: bool = False

    def check(self) -> None:
        """Raise ValueError if the pattern is no regular expression."""
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"the view rule {self.pattern!r} is no regular expression: {error}") from error


_RIGHT = r"\b(rt|right|r)\b"
_POSTERIOR = r"\b(post|posterior)\b"
_PORTAL = r"\b(pv|portal|portal vein|port v)\b"

DEFAULT_VIEW_RULES = (
    ViewRule(View.HEPATIC_VEINS, r"\b(hv|hvs|hepatic v|hepatic vv|hepatic veins?|hep veins?|ivc)\b"),
    ViewRule(View.RIGHT_POSTERIOR_PORTAL_VEIN, r"\b(rppv|rpostpv|rt ?post ?pv)\b"),
    ViewRule(View.RIGHT_POSTERIOR_PORTAL_VEIN, rf"(?=.*{_RIGHT})(?=.*{_POSTERIOR})(?=.*{_PORTAL})"),
    ViewRule(View.RIGHT_PORTAL_VEIN, rf"^(?!.*{_POSTERIOR}).*\b(rpv|mrpv|rtpv)\b"),
    ViewRule(View.RIGHT_PORTAL_VEIN, rf"^(?!.*{_POSTERIOR})(?=.*{_RIGHT})(?=.*{_PORTAL})"),
    ViewRule(View.LIVER_KIDNEY, r"\b(lk|hepato ?renal|liver ?(rt|right|r)? ?kid(ney)?|morr?isons?( pouch)?)\b"),
    ViewRule(View.LIVER_KIDNEY, r"(?=.*\b(liver|rul)\b)(?=.*\b(kidney|kid|renal|rk)\b)"),
)
"""English words that sonographers type. A site that names its views otherwise configures its own rules."""


class Naming(NamedTuple):
    """What one text says.

    Attributes
    ----------
    view : View
        The only view that it names.
    alone : bool
        Whether it names the view and nothing else: of two images of a view, the one so named stands.
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
    """
    normalised = _normalised(text)
    found = [match for rule in rules if (match := _compiled(rule.pattern).search(normalised))]
    views = {rule.view for rule in rules if _compiled(rule.pattern).search(normalised)}
    if len(views) != 1:
        return None
    return Naming(views.pop(), any(match.group() == normalised for match in found))


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _normalised(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
