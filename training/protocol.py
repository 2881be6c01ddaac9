"""The study, as data: each choice of Byra et al. 2021, and each that the paper leaves open."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from app.core.values import Floats, Target

CUTOFF_PERCENT = {Target.GE5: 5.0, Target.GE10: 10.0}
"""Given by the paper: 5 % diagnoses fatty liver, 10 % enrols patients in trials."""


@dataclass(frozen=True, slots=True)
class StudyProtocol:
    """How models are trained and evaluated. Given by the paper [1]_, or open there and settled here with its reason.

    Attributes
    ----------
    seed : int
        Open. Of folds and augmentation; the year of the paper.
    n_folds : int
        Given: stratified 4-fold cross-validation inside each round.
    strata_percent : tuple of float
        Open: what is stratified. Both cutoffs, so that one set of folds serves all three models, and 20 %, so that
        every fold holds severe cases.
    n_penalties, penalty_ratio : int, float
        Open: the grid. Ten penalties, evenly spaced in logarithm, from just under the one at which the first feature
        enters to `penalty_ratio` times less: glmnet's construction [2]_, and a ratio at which about as many features
        stay as there are participants.
    max_shift_pixels : int
        Given: lateral shifts up to 20 pixels, before the crop.
    n_rows : int
        Open: rows of each image. The image itself and nine drawn copies: more change nothing but the time.
    reflect : bool
        Given: images are reflected horizontally. Every second row is.
    predict_with : {"unaugmented"}
        Open. The image as it is, in validation and for the held-out participant: it is what the service sees.
    classifier_weights : {"balanced", "equal"}
        Given: inverse to the frequency of the class, counted in each training set.
    regression_weights : {"inverse_frequency", "equal"}
        Given: inverse to the frequency of the PDFF value, counted in each training set.
    pdff_bin_percent : float
        Open: PDFF is continuous, so its frequency needs bins. Those of the paper's Figure 1 are 5 % wide.
    scaling : {"standardise"}
        Open. An L1 penalty compares coefficients, so features must share a unit; the scaler is fitted inside each
        training set, augmented rows included.
    selection : {"minimum", "one_standard_error"}
        Open ("the better-performing"): the smallest validation loss; or the strongest penalty within one standard
        error of it.
    selection_weights : {"as_fit", "equal"}
        Open. Validation loss (squared error, negative log-likelihood) weighs participants as the fit does: otherwise
        the grid search undoes the weighting.
    averaging : {"probability"}
        Open: "outputs of models were averaged". A classifier's output is its probability, which does not let one
        overconfident view outvote three.

    References
    ----------
    .. [1] Byra et al., J Ultrasound Med 2021, "Model Development and Evaluation".
    .. [2] Friedman, Hastie, Tibshirani, J Stat Softw 2010, section 2.5.
    """

    seed: int = 2021
    n_folds: int = 4
    strata_percent: tuple[float, ...] = (5.0, 10.0, 20.0)
    n_penalties: int = 10
    penalty_ratio: float = 100.0
    max_shift_pixels: int = 20
    n_rows: int = 10
    reflect: bool = True
    predict_with: Literal["unaugmented"] = "unaugmented"
    classifier_weights: Literal["balanced", "equal"] = "balanced"
    regression_weights: Literal["inverse_frequency", "equal"] = "inverse_frequency"
    pdff_bin_percent: float = 5.0
    scaling: Literal["standardise"] = "standardise"
    selection: Literal["minimum", "one_standard_error"] = "minimum"
    selection_weights: Literal["as_fit", "equal"] = "as_fit"
    averaging: Literal["probability"] = "probability"

    def penalty_steps(self) -> Floats:
        """How many times weaker than the strongest each penalty is, rising, shape (n_penalties,)."""
        return np.geomspace(1.0, self.penalty_ratio, self.n_penalties + 1)[1:]

    def sha256(self) -> str:
        """SHA-256 of the canonical JSON: sorted keys, no spaces."""
        document = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(document.encode()).hexdigest()
