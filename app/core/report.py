"""What a report of one analysis says, whatever it is written as."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from app.core.notices import remarks
from app.core.values import Analysis, View, ViewEstimate, ViewSource

SCALE_PERCENT = (0, 5, 10, 20, 30, 40)
"""Marks of the scale that an estimate is drawn on."""
_TOLD_BY = {
    ViewSource.SENDER: "named by the sender",
    ViewSource.ATTRIBUTE: "from DICOM",
    ViewSource.SCREEN: "from the screen",
}
READING = (
    "P is a score at equal class frequency, not calibrated. A map shows where a sum comes from, not why. "
    "The method is that of doi 10.1002/jum.15693."
)


class Pictures(NamedTuple):
    """One view's pictures, PNG.

    Attributes
    ----------
    tissue : bytes
    overlay : bytes
        The map of the head for PDFF >= 5 % over the tissue.
    """

    tissue: bytes
    overlay: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """One page.

    Attributes
    ----------
    analysis : Analysis
    pictures : mapping of View to Pictures
    operating_points : str
        What the bundle's calls mean.
    address : str
        Where the analysis is found; empty: nowhere.
    """

    analysis: Analysis
    pictures: Mapping[View, Pictures]
    operating_points: str
    address: str

    @property
    def title(self) -> str:
        """Head of the page."""
        return "Liver fat estimate from ultrasound"

    @property
    def remarks(self) -> list[str]:
        """What to keep in mind."""
        return [*remarks(self.analysis), READING]

    @property
    def summary(self) -> str:
        """What the averaged row is called."""
        views = len(self.analysis.estimate.views)
        return "Averaged multiview model" if self.analysis.estimate.complete else f"Average of {views} of 4 views"

    @property
    def calls(self) -> tuple[str, str]:
        """What is called at each of the bundle's operating points."""
        estimate, thresholds = self.analysis.estimate, self.analysis.estimate.thresholds
        return (
            f"{'≥ 5 %' if estimate.steatosis_ge5 else 'below 5 %'} (threshold {thresholds.ge5:.2f})",
            f"{'≥ 10 %' if estimate.steatosis_ge10 else 'below 10 %'} (threshold {thresholds.ge10:.2f})",
        )


def describe_image(view: ViewEstimate) -> str:
    """Say which image a view's numbers come from, where its tissue was found, and what told its view."""
    box = ", ".join(map(str, view.tissue_box))
    told = "" if view.view_source is None else f" · view {_TOLD_BY[view.view_source]}"
    return f"{view.sop_instance_uid}{told} · tissue {box} (from the {view.tissue_source}) · {view.decoder}"


def place_on_scale(pdff_percent: float) -> float:
    """Say where an estimate stands on the scale: 0 at its beginning, 1 at its end, and never beyond."""
    return min(max(pdff_percent / SCALE_PERCENT[-1], 0.0), 1.0)
