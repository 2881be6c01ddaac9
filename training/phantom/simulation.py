"""A participant's four screens."""

import numpy as np

from app.core.values import View
from training.phantom.anatomy import paint_view
from training.phantom.beam import grey_levels
from training.phantom.grid import polar_grid
from training.phantom.physics import draw_acquisition, draw_body, regional_pdff_percent
from training.phantom.screen import LAYOUTS, Layout, Screen, show

_BODY_STREAM = len(View)
_LAYOUT_STREAM = len(View) + 1


def _generator(seed: int, participant: int, stream: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([seed, participant, stream]))


def participant_layout(participant: int, seed: int) -> Layout:
    """Draw the vendor on whose scanner a participant is examined: each of `LAYOUTS` equally often."""
    return LAYOUTS[int(_generator(seed, participant, _LAYOUT_STREAM).integers(len(LAYOUTS)))]


def simulate_view(participant: int, seed: int, pdff_percent: float, view: View, layout: Layout | None = None) -> Screen:
    """Simulate one view; see `simulate_participant`."""
    rng = _generator(seed, participant, list(View).index(view))
    seen_percent = regional_pdff_percent(rng, pdff_percent)
    body = draw_body(_generator(seed, participant, _BODY_STREAM), seen_percent)
    settings = draw_acquisition(rng, body, view)
    grid = polar_grid(settings.depth_cm)
    grey = grey_levels(rng, grid, paint_view(rng, grid, body, view), body, settings)
    return show(layout or participant_layout(participant, seed), grey, view, participant, settings)


def simulate_participant(
    participant: int, seed: int, pdff_percent: float, layout: Layout | None = None
) -> dict[View, Screen]:
    """Simulate one participant's study.

    Parameters
    ----------
    participant : int
        Number of the participant, not negative.
    seed : int
        Of the cohort, not negative. Participants of different seeds have nothing in common.
    pdff_percent : float
        Fat fraction of the whole liver, %. The same person with another fraction keeps the anatomy.
    layout : Layout, optional
        The vendor's screen; drawn for the participant if not given.

    Returns
    -------
    dict of View to Screen
        In the order of `View`.
    """
    return {view: simulate_view(participant, seed, pdff_percent, view, layout) for view in View}
