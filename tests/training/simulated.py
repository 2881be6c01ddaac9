"""Held-out predictions that nobody has to train for, with errors like the paper's."""

import numpy as np

from app.core.values import Floats, View
from training.predictions import AVERAGED, COMPOSITE, HeldOutPredictions, Predictions, average

VIEW_NOISE_PERCENT = {
    View.HEPATIC_VEINS: 5.0,
    View.RIGHT_PORTAL_VEIN: 9.0,
    View.RIGHT_POSTERIOR_PORTAL_VEIN: 4.0,
    View.LIVER_KIDNEY: 8.0,
}


def paper_pdff_percent(rng: np.random.Generator) -> Floats:
    """135 participants as in Figure 1: 17 below 5 %, 51 below 10 %, 5 above 30 %."""
    bands = ((17, 1.5, 5.0), (34, 5.0, 10.0), (79, 10.0, 30.0), (5, 30.5, 40.0))
    values = [low + (high - low) * rng.beta(1, 1.6, count) for count, low, high in bands]
    return rng.permutation(np.concatenate(values))


def simulated_predictions(seed: int = 1) -> HeldOutPredictions:
    """Views that share half of their error, shrink high PDFF, and are averaged; a composite a little worse."""
    rng = np.random.default_rng(seed)
    pdff = paper_pdff_percent(rng)
    shared = rng.normal(size=len(pdff))
    views: dict[str, Predictions] = {
        view: _model(rng, pdff, shared, noise) for view, noise in VIEW_NOISE_PERCENT.items()
    }
    models: dict[str, Predictions] = {
        **views,
        AVERAGED: average(list(views.values())),
        COMPOSITE: _model(rng, pdff, shared, 6.0),
    }
    ids = tuple(f"P{number:03d}" for number in range(1, len(pdff) + 1))
    return HeldOutPredictions(ids, pdff, models)


def _model(rng: np.random.Generator, pdff: Floats, shared: Floats, noise: float) -> Predictions:
    error = noise * (shared + rng.normal(size=len(pdff))) / np.sqrt(2)
    seen = pdff + error
    predicted = 4 + 26 * (1 - np.exp(-np.clip(seen, 0, None) / 22))
    return Predictions(predicted, _probability(seen - 5, 3), _probability(seen - 10, 3))


def _probability(above: Floats, scale: float) -> Floats:
    return 1 / (1 + np.exp(-above / scale))
