"""A test of two models, as it stands in the results."""

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Comparison:
    """One two-sided test of two models on the same participants.

    Attributes
    ----------
    test : str
        ``"welch_bootstrap"``, ``"delong"`` or ``"meng"``.
    quantity : str
        What is compared, for people: ``"AUC, PDFF >= 5 %"``.
    first, second : str
        Models.
    difference : float
        First minus second, in the quantity's own unit.
    interval_95 : tuple of float
        95 % confidence interval; of Fisher's z for Meng's test, of the difference otherwise.
    statistic : float or None
        t or z; None where both models agree so far that its standard error is zero.
    p_value : float
    p_corrected : float
        Bonferroni: `p_value` times `comparisons`, at most 1.
    comparisons : int
        Size of the family corrected for.
    """

    test: str
    quantity: str
    first: str
    second: str
    difference: float
    interval_95: tuple[float, float]
    statistic: float | None
    p_value: float
    p_corrected: float
    comparisons: int = 1


def bonferroni(family: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Correct a family of tests for their number.

    References
    ----------
    .. [1] Dunn, "Multiple Comparisons Among Means", J Am Stat Assoc 1961.
    """
    size = len(family)
    return tuple(replace(each, p_corrected=min(1.0, each.p_value * size), comparisons=size) for each in family)
