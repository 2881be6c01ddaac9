"""What a model says of many participants."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from app.core.values import Floats

AVERAGED = "averaged"
COMPOSITE = "composite"


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Outputs of one model for many participants.

    Attributes
    ----------
    pdff_percent, probability_ge5, probability_ge10 : ndarray of float64, shape (n_participants,)
    """

    pdff_percent: Floats
    probability_ge5: Floats
    probability_ge10: Floats


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutPredictions:
    """Every model's outputs for participants whom it has not seen.

    Attributes
    ----------
    participant_ids : tuple of str
    pdff_percent : ndarray of float64, shape (n_participants,)
        Reference PDFF, percent.
    models : mapping of str to Predictions
        The views' models by `View`, then ``"averaged"`` and ``"composite"``.
    """

    participant_ids: tuple[str, ...]
    pdff_percent: Floats
    models: Mapping[str, Predictions]


def average(models: list[Predictions]) -> Predictions:
    """Averaged multiview model: the mean of the views' outputs."""
    return Predictions(
        *(
            np.mean([getattr(model, name) for model in models], axis=0)
            for name in ("pdff_percent", "probability_ge5", "probability_ge10")
        )
    )
