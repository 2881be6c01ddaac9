"""Rules: regular expressions over a text in one form, each of which names a view."""

from dataclasses import dataclass

from app.core.naming.expressions import fault
from app.core.values import View


@dataclass(frozen=True, slots=True)
class ViewRule:
    """A site's way of naming a view.

    Attributes
    ----------
    view : View or None
        None for a text that decides nothing, whatever else it says: `left`, `r/o`.
    pattern : str
        Regular expression, searched in the text as `texts.normalise` gives it. Case and accents in it do not matter.
        What its group `view` matches is the view's name; without such a group, all that it matches.
    examination : bool
        Whether it also counts on texts that describe the whole examination.
    """

    view: View | None
    pattern: str
    examination: bool = False

    def check(self) -> None:
        """Raise ValueError if the pattern is not a regular expression, or can never match, or always does."""
        if wrong := fault(self.pattern):
            raise ValueError(f"the view rule {self.pattern!r} {wrong}")
