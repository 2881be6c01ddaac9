"""Exact L1 solvers with certificates: weighted Lasso and weighted L1 logistic regression.

`losses` says what is minimised, `quadratic` solves one L1 quadratic, `newton` one penalty on few columns, `paths` a
bundle of paths over all columns with a duality gap for each fit, `designs` holds the features of a cohort.
"""

from training.solvers.designs import Design, Scaler, check_side_by_side, side_by_side
from training.solvers.losses import LOGISTIC, SQUARED, Loss, SingleClassError
from training.solvers.newton import NotConvergedError
from training.solvers.paths import Fits, Problem, solve, strongest_penalty

__all__ = [
    "LOGISTIC",
    "SQUARED",
    "Design",
    "Fits",
    "Loss",
    "NotConvergedError",
    "Problem",
    "Scaler",
    "SingleClassError",
    "check_side_by_side",
    "side_by_side",
    "solve",
    "strongest_penalty",
]
