"""How good a model is. Values in, values out; each statistic cites its source."""

from training.statistics.agreement import Agreement, StratumBias, bland_altman, stratum_bias
from training.statistics.auc_tests import DeLong, delong, delong_test, welch_test
from training.statistics.bootstrap import Resampled, Spread, bootstrap_performance, resample_counts
from training.statistics.comparisons import Comparison, bonferroni
from training.statistics.correlations import Correlation, meng_test, pearson, spearman
from training.statistics.model_figures import brier_score, figures
from training.statistics.roc import RocCurve, nearest_operating_point, operating_point, roc_curve

__all__ = [
    "Agreement",
    "Comparison",
    "Correlation",
    "DeLong",
    "Resampled",
    "RocCurve",
    "Spread",
    "StratumBias",
    "bland_altman",
    "bonferroni",
    "bootstrap_performance",
    "brier_score",
    "delong",
    "delong_test",
    "figures",
    "meng_test",
    "nearest_operating_point",
    "operating_point",
    "pearson",
    "resample_counts",
    "roc_curve",
    "spearman",
    "stratum_bias",
    "welch_test",
]
