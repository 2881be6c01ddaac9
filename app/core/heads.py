"""Linear heads on global average pooled features."""

import math

from app.core.errors import NonFiniteOutput
from app.core.values import Floats, LinearHead


def predict(head: LinearHead, gap: Floats) -> float:
    """Apply one head to one image.

    Parameters
    ----------
    head : LinearHead
    gap : ndarray of float64, shape (2048,)

    Returns
    -------
    float
        Percent PDFF, or log-odds.

    Raises
    ------
    NonFiniteOutput
        If the result is not a finite number.
    """
    return finite(float(head.weights @ gap) + head.intercept)


def finite(output: float) -> float:
    """Let a head's output pass, as a float.

    Raises
    ------
    NonFiniteOutput
        If it is not a finite number.
    """
    if not math.isfinite(output):
        raise NonFiniteOutput("The model gave no finite number for this image. Send the image to the maintainers.")
    return float(output)


def probability(log_odds: float) -> float:
    """Turn log-odds into a probability, without overflow at either end."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1 + odds)
