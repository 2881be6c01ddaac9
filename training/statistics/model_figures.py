"""The few figures that a bundle's manifest states of a model."""

import numpy as np

from app.adapters.bundle.manifest import ModelFigures
from app.core.values import Floats, Target
from training.predictions import Predictions
from training.protocol import CUTOFF_PERCENT
from training.statistics.correlations import pearson, spearman
from training.statistics.roc import Bools, roc_curve


def figures(predicted: Predictions, pdff_percent: Floats) -> ModelFigures:
    """Compare a model's outputs with the reference.

    Parameters
    ----------
    predicted : Predictions
    pdff_percent : ndarray of float64, shape (n_participants,)
        Reference PDFF, percent.

    Returns
    -------
    ModelFigures
        Spearman and Pearson correlation, area under the ROC curve at both cutoffs, mean absolute error in percent.
    """
    return ModelFigures(
        spearman=spearman(predicted.pdff_percent, pdff_percent).value,
        pearson=pearson(predicted.pdff_percent, pdff_percent).value,
        auc_ge5=_auc(predicted.probability_ge5, pdff_percent >= CUTOFF_PERCENT[Target.GE5]),
        auc_ge10=_auc(predicted.probability_ge10, pdff_percent >= CUTOFF_PERCENT[Target.GE10]),
        mean_absolute_error_percent=float(np.abs(predicted.pdff_percent - pdff_percent).mean()),
    )


def brier_score(probability: Floats, positive: Bools) -> float:
    """Mean squared error of probabilities: 0 is perfect, and always saying the prevalence p scores p (1 - p).

    The heads are fitted with balanced class weights, so their probabilities are those of a cohort that is half
    positive: a score above p (1 - p) speaks of that shift first, not of discrimination.

    References
    ----------
    .. [1] Brier, "Verification of forecasts expressed in terms of probability", Mon Weather Rev 1950.
    """
    return float(np.mean((probability - positive) ** 2))


def _auc(probability: Floats, positive: Bools) -> float:
    return float(roc_curve(probability, positive).auc()[0])
