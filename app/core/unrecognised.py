"""Why nothing names the view of an image, in words that its sender and an administrator can act on."""

from enum import StrEnum
from typing import Final

from app.core.evidence import Evidence

WHERE_RULES_ARE: Final = (
    "A site writes view rules for the names that it uses: LIVER_PDFF_VIEW_RULES; see Rules for a site in docs/views.md."
)
_ADVICE: Final = "Name the view at the scanner, or send the file to /v1/analyses under the form field of its view."


class LookedAt(StrEnum):
    """Where the name of a view was looked for."""

    IMAGE_ATTRIBUTES = "image_attributes"
    EXAMINATION_ATTRIBUTES = "examination_attributes"
    SCREEN = "screen"


def looked_at(evidence: Evidence | None) -> list[LookedAt]:
    """List what was looked at; None is an object of another kind, of which nothing was."""
    if evidence is None:
        return []
    screen = [] if evidence.screen is None else [LookedAt.SCREEN]
    return [LookedAt.IMAGE_ATTRIBUTES, LookedAt.EXAMINATION_ATTRIBUTES, *screen]


def why_unrecognised(evidence: Evidence, *, was_refused: bool = False) -> str:
    """Say what was looked at, but not what it says, and what helps.

    Parameters
    ----------
    evidence : Evidence
    was_refused : bool
        Whether its pixels could not be used: then its screen was not read either.
    """
    return f"{_attributes(evidence)} {_screen(evidence, was_refused=was_refused)} {_ADVICE} {WHERE_RULES_ARE}"


def _attributes(evidence: Evidence) -> str:
    of_the_image = (
        "No attribute of the image (View Code Sequence, View Name, Stage Name, Image Comments, anatomic region) "
        "names exactly one of the four views"
    )
    if evidence.possible_view is None:
        return f"{of_the_image}, nor does one of the examination (Protocol Name, Series Description)."
    return f"{of_the_image}; one of the examination does, but does not tell the images of the study apart."


def _screen(evidence: Evidence, *, was_refused: bool) -> str:
    if evidence.screen is not None:
        return "The text on its screen was read and does not name exactly one either."
    if was_refused:
        return "Its screen was not read, for the file was refused."
    return "Its screen was not read: that is switched off, not installed (LIVER_PDFF_READ_SCREENS), or took too long."
