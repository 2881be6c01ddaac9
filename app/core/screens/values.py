"""What is seen on a screen, as long as it takes to match it: nothing here is stored, logged or shown."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from app.core.values import ScreenPixels, TissueBox


class ScreenPolicy(StrEnum):
    """Which screens are read."""

    NEVER = "never"
    UNNAMED = "unnamed"
    ALWAYS = "always"


class Reading(NamedTuple):
    """What a line says.

    Attributes
    ----------
    text : str
    confidence : float
        Mean probability of its characters, 0 to 1.
    """

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text on a screen.

    Attributes
    ----------
    box : TissueBox
        Around its letters, in pixels of the screen.
    text : str
        Not part of what is printed of it.
    """

    box: TissueBox
    text: str = field(default="", repr=False)


class TextReader(Protocol):
    """Finds and reads text: `app.adapters.screens.text_reader.OnnxTextReader`."""

    def find(self, pixels: ScreenPixels) -> list[TissueBox]:
        """Find the lines of text in a part of a screen."""
        ...

    def read(self, pixels: ScreenPixels) -> Reading:
        """Read one line, of which the pixels show nothing else."""
        ...
