"""results.json: every held-out prediction, table and test of one evaluation, and the protocol that made them.

It holds no date and no path: the same predictions give the same bytes, so that a resumed run can be compared with an
uninterrupted one. Figures and report read it and compute nothing.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from app import __version__
from app.adapters.bundle.manifest import OperatingPoint, Probability, Sha256
from app.core.values import Floats, Target, View
from training.predictions import AVERAGED, HeldOutPredictions, Predictions
from training.protocol import CUTOFF_PERCENT
from training.statistics import (
    Agreement,
    Comparison,
    DeLong,
    Resampled,
    StratumBias,
    bland_altman,
    bonferroni,
    bootstrap_performance,
    brier_score,
    delong,
    delong_test,
    meng_test,
    nearest_operating_point,
    pearson,
    resample_counts,
    roc_curve,
    spearman,
    stratum_bias,
    welch_test,
)
from training.statistics.roc import Bools
from training.tables import MODEL_TITLES, CorrelationRow, PerformanceRow, Tables, performance_row

SCHEMA_VERSION: Literal[1] = 1
DEFAULT_RESAMPLES = 2_000
HIGH_PDFF_PERCENT = 30.0
"""Above it the paper's models underestimate (Figure 4)."""
PAPER_CASE_PERCENT = 17.0
"""PDFF of the paper's correctly classified case (Figure 5)."""
_CUTOFF_TARGETS = (Target.GE5, Target.GE10)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CohortSummary(_Strict):
    """Whom the models were evaluated on; the counts are those that the paper gives of its Figure 1."""

    description: str
    synthetic: bool
    participants: Annotated[int, Field(ge=1)]
    below_5_percent: int
    below_10_percent: int
    above_30_percent: int
    median_pdff_percent: float
    pdff_percent_range: tuple[float, float]


class ModelOutput(_Strict):
    """What one model said of a participant whom it had not seen."""

    pdff_percent: float
    probability_ge5: Probability
    probability_ge10: Probability


class HeldOutParticipant(_Strict):
    """A participant's reference and every model's held-out output."""

    participant_id: str
    pdff_percent: float
    outputs: dict[str, ModelOutput]


class Classifier(_Strict):
    """One model at one cutoff, on the cohort as it is (the tables have the bootstrap)."""

    auc: Probability
    auc_95: tuple[float, float]
    """DeLong's 95 % confidence interval."""
    brier: float
    operating_point: OperatingPoint
    """ROC point nearest (0, 1)."""
    false_positive_rate: tuple[Probability, ...]
    true_positive_rate: tuple[Probability, ...]


class Quantifier(_Strict):
    """One regression model's agreement with the reference, percent PDFF."""

    mean_absolute_error: float
    agreement: Agreement
    strata: tuple[StratumBias, ...]
    """Up to 30 % PDFF, and above."""


class ModelResults(_Strict):
    """One model's three heads."""

    pdff: Quantifier
    ge5: Classifier
    ge10: Classifier

    def classifier(self, target: Target) -> Classifier:
        """Return the classifier at a cutoff."""
        return self.ge5 if target is Target.GE5 else self.ge10


class BootstrapPlan(_Strict):
    """How participants were resampled: with replacement, within each class."""

    resamples: Annotated[int, Field(ge=2)] = DEFAULT_RESAMPLES
    seed: Annotated[int, Field(ge=0)] = 0
    stratified: Literal[True] = True


class Results(_Strict):
    """One evaluation, whole."""

    schema_version: Literal[1]
    made_by: str
    protocol: dict[str, JsonValue]
    protocol_sha256: Sha256
    cohort: CohortSummary
    bootstrap: BootstrapPlan
    tables: Tables
    models: dict[str, ModelResults]
    comparisons: tuple[Comparison, ...]
    participants: tuple[HeldOutParticipant, ...]

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.protocol_sha256 != protocol_sha256(self.protocol):
            raise ValueError("protocol_sha256 is not the hash of protocol.")
        if self.cohort.participants != len(self.participants):
            raise ValueError("cohort.participants is not the number of participants.")
        return self

    @property
    def pdff_percent(self) -> Floats:
        """Reference PDFF of all participants, percent."""
        return np.array([each.pdff_percent for each in self.participants])

    def predicted_pdff_percent(self, model: str) -> Floats:
        """One model's held-out PDFF of all participants, percent."""
        return np.array([each.outputs[model].pdff_percent for each in self.participants])


class Cases(NamedTuple):
    """Participants for the paper's Figures 5 and 6."""

    right: str
    wrong: str


def build_results(
    predictions: HeldOutPredictions,
    protocol: Mapping[str, Any],
    cohort: str,
    *,
    synthetic: bool,
    bootstrap: BootstrapPlan | None = None,
) -> Results:
    """Compute every table and test from held-out predictions.

    Parameters
    ----------
    predictions : HeldOutPredictions
        Single views alone are enough; comparisons need the averaged model.
    protocol : mapping
        Whatever JSON describes how the predictions were made; its hash goes into the results.
    cohort : str
        One sentence.
    synthetic : bool
        Whether the cohort was simulated: then every page says so.
    bootstrap : BootstrapPlan, optional

    Returns
    -------
    Results

    Raises
    ------
    ValueError
        If a class of either cutoff has fewer than two participants, or an output is not finite.
    """
    _check_classes(predictions)
    plan = bootstrap or BootstrapPlan()
    models = _in_order(predictions)
    resampled = {target: _resample(predictions, target, plan) for target in _CUTOFF_TARGETS}
    areas = {target: _areas(predictions, target) for target in _CUTOFF_TARGETS}
    plain = _plain(protocol)
    return Results(
        schema_version=SCHEMA_VERSION,
        made_by=f"liver-pdff {__version__}",
        protocol=plain,
        protocol_sha256=protocol_sha256(plain),
        cohort=_summarise(predictions.pdff_percent, cohort, synthetic),
        bootstrap=plan,
        tables=_tables(predictions, resampled),
        models={model: _model_results(predictions, areas, model) for model in models},
        comparisons=_comparisons(predictions, resampled, areas),
        participants=_participants(predictions),
    )


def protocol_sha256(protocol: Mapping[str, Any]) -> str:
    """Hash a protocol: SHA-256 of its JSON with sorted keys and no spaces."""
    return hashlib.sha256(json.dumps(protocol, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_results(results: Results, path: Path) -> Path:
    """Write results as JSON, whole or not at all, after reading them back."""
    content = results.model_dump_json(indent=1).encode() + b"\n"
    Results.model_validate_json(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return partial.replace(path)


def read_results(path: Path) -> Results:
    """Read and validate what `write_results` wrote.

    Raises
    ------
    pydantic.ValidationError
        If the file is of another schema version, was cut, or its protocol was changed afterwards.
    """
    return Results.model_validate_json(path.read_bytes())


def choose_cases(results: Results) -> Cases:
    """Choose whose maps to show: a participant whom the views call right, and one whom they call wrong.

    The cutoff is 5 %, as in the paper, each view at its own operating point. Right: most views right, then nearest to
    the paper's 17 % PDFF. Wrong: most views wrong, then the surest of it. The rule is fixed, so that nobody picks
    the prettier map.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Cases
        Participant ids.
    """
    right = min(results.participants, key=lambda p: (_wrong_views(results, p), _from_paper_case(p)))
    wrong = max(results.participants, key=lambda p: (_wrong_views(results, p), _error_ge5(p)))
    return Cases(right.participant_id, wrong.participant_id)


def _check_classes(predictions: HeldOutPredictions) -> None:
    """Tell whoever evaluates a small cohort what it lacks, before anything is computed."""
    for target in _CUTOFF_TARGETS:
        above = int(_positive(predictions, target).sum())
        below = len(predictions.pdff_percent) - above
        if min(below, above) < 2:
            raise ValueError(
                f"Two participants are needed on either side of {CUTOFF_PERCENT[target]:.0f} % PDFF; "
                f"this cohort has {below} below and {above} at or above it."
            )


def _in_order(predictions: HeldOutPredictions) -> list[str]:
    return [model for model in MODEL_TITLES if model in predictions.models]


def _plain(protocol: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Turn tuples and enums into what JSON gives back."""
    document: dict[str, JsonValue] = json.loads(json.dumps(protocol))
    return document


def _summarise(pdff_percent: Floats, description: str, synthetic: bool) -> CohortSummary:
    return CohortSummary(
        description=description,
        synthetic=synthetic,
        participants=len(pdff_percent),
        below_5_percent=int((pdff_percent < CUTOFF_PERCENT[Target.GE5]).sum()),
        below_10_percent=int((pdff_percent < CUTOFF_PERCENT[Target.GE10]).sum()),
        above_30_percent=int((pdff_percent > HIGH_PDFF_PERCENT).sum()),
        median_pdff_percent=float(np.median(pdff_percent)),
        pdff_percent_range=(float(pdff_percent.min()), float(pdff_percent.max())),
    )


def _participants(predictions: HeldOutPredictions) -> tuple[HeldOutParticipant, ...]:
    models = _in_order(predictions)
    return tuple(
        HeldOutParticipant(
            participant_id=participant_id,
            pdff_percent=float(predictions.pdff_percent[i]),
            outputs={model: _output(predictions.models[model], i) for model in models},
        )
        for i, participant_id in enumerate(predictions.participant_ids)
    )


def _output(predicted: Predictions, i: int) -> ModelOutput:
    return ModelOutput(
        pdff_percent=float(predicted.pdff_percent[i]),
        probability_ge5=float(predicted.probability_ge5[i]),
        probability_ge10=float(predicted.probability_ge10[i]),
    )


def _probability(predicted: Predictions, target: Target) -> Floats:
    return predicted.probability_ge5 if target is Target.GE5 else predicted.probability_ge10


def _positive(predictions: HeldOutPredictions, target: Target) -> Bools:
    return predictions.pdff_percent >= CUTOFF_PERCENT[target]


def _resample(predictions: HeldOutPredictions, target: Target, plan: BootstrapPlan) -> dict[str, Resampled]:
    positive = _positive(predictions, target)
    counts = resample_counts(positive, plan.resamples, plan.seed)
    return {
        model: bootstrap_performance(_probability(predictions.models[model], target), positive, counts)
        for model in _in_order(predictions)
    }


def _areas(predictions: HeldOutPredictions, target: Target) -> DeLong:
    """Areas of all models, in table order."""
    scores = [_probability(predictions.models[model], target) for model in _in_order(predictions)]
    return delong(np.stack(scores), _positive(predictions, target))


def _tables(predictions: HeldOutPredictions, resampled: Mapping[Target, Mapping[str, Resampled]]) -> Tables:
    return Tables(
        table_1=_performance_rows(resampled[Target.GE5]),
        table_2=_performance_rows(resampled[Target.GE10]),
        table_3=tuple(_correlation_row(predictions, model) for model in _in_order(predictions)),
    )


def _performance_rows(resampled: Mapping[str, Resampled]) -> tuple[PerformanceRow, ...]:
    return tuple(performance_row(model, each) for model, each in resampled.items())


def _correlation_row(predictions: HeldOutPredictions, model: str) -> CorrelationRow:
    predicted, reference = predictions.models[model].pdff_percent, predictions.pdff_percent
    return CorrelationRow(model, spearman(predicted, reference), pearson(predicted, reference))


def _model_results(predictions: HeldOutPredictions, areas: Mapping[Target, DeLong], model: str) -> ModelResults:
    position = _in_order(predictions).index(model)
    ge5, ge10 = (
        _classifier(
            _probability(predictions.models[model], target),
            _positive(predictions, target),
            areas[target].interval_95(position),
        )
        for target in _CUTOFF_TARGETS
    )
    quantifier = _quantifier(predictions.models[model].pdff_percent, predictions.pdff_percent)
    return ModelResults(pdff=quantifier, ge5=ge5, ge10=ge10)


def _classifier(probability: Floats, positive: Bools, auc_95: tuple[float, float]) -> Classifier:
    curve = roc_curve(probability, positive)
    return Classifier(
        auc=float(curve.auc()[0]),
        auc_95=auc_95,
        brier=brier_score(probability, positive),
        operating_point=nearest_operating_point(probability, positive),
        false_positive_rate=tuple(curve.false_positive_rate[0].tolist()),
        true_positive_rate=tuple(curve.true_positive_rate[0].tolist()),
    )


def _quantifier(predicted: Floats, reference: Floats) -> Quantifier:
    high = reference > HIGH_PDFF_PERCENT
    return Quantifier(
        mean_absolute_error=float(np.abs(predicted - reference).mean()),
        agreement=bland_altman(predicted, reference),
        strata=(
            stratum_bias(f"PDFF up to {HIGH_PDFF_PERCENT:.0f} %", predicted, reference, ~high),
            stratum_bias(f"PDFF above {HIGH_PDFF_PERCENT:.0f} %", predicted, reference, high),
        ),
    )


def _comparisons(
    predictions: HeldOutPredictions,
    resampled: Mapping[Target, Mapping[str, Resampled]],
    areas: Mapping[Target, DeLong],
) -> tuple[Comparison, ...]:
    """Averaged model against each other one; each test and quantity is one Bonferroni family."""
    models = _in_order(predictions)
    if AVERAGED not in models:
        return ()
    rivals = [(AVERAGED, model) for model in models if model != AVERAGED]
    families = [
        *([_welch(resampled[target], pair, target) for pair in rivals] for target in _CUTOFF_TARGETS),
        *([_delong(areas[target], models, pair, target) for pair in rivals] for target in _CUTOFF_TARGETS),
        *([_meng(predictions, pair, quantity) for pair in rivals] for quantity in ("SCC", "PCC")),
    ]
    return tuple(each for family in families for each in bonferroni(family))


def _auc_of(target: Target) -> str:
    return f"AUC, PDFF ≥ {CUTOFF_PERCENT[target]:.0f} %"


def _welch(resampled: Mapping[str, Resampled], pair: tuple[str, str], target: Target) -> Comparison:
    first, second = (resampled[model].auc for model in pair)
    return welch_test(first, second, pair, _auc_of(target))


def _delong(areas: DeLong, models: list[str], pair: tuple[str, str], target: Target) -> Comparison:
    first, second = (models.index(model) for model in pair)
    return delong_test(areas, (first, second), pair, _auc_of(target))


def _meng(predictions: HeldOutPredictions, pair: tuple[str, str], quantity: str) -> Comparison:
    correlate = spearman if quantity == "SCC" else pearson
    first, second = (predictions.models[model].pdff_percent for model in pair)
    reference = predictions.pdff_percent
    values = correlate(first, reference).value, correlate(second, reference).value
    return meng_test(values, correlate(first, second).value, len(reference), pair, quantity)


def _wrong_views(results: Results, participant: HeldOutParticipant) -> int:
    positive = participant.pdff_percent >= CUTOFF_PERCENT[Target.GE5]
    return sum(
        (participant.outputs[view].probability_ge5 >= results.models[view].ge5.operating_point.probability) != positive
        for view in View
        if view in results.models
    )


def _from_paper_case(participant: HeldOutParticipant) -> float:
    return abs(participant.pdff_percent - PAPER_CASE_PERCENT)


def _error_ge5(participant: HeldOutParticipant) -> float:
    positive = participant.pdff_percent >= CUTOFF_PERCENT[Target.GE5]
    return sum(abs(output.probability_ge5 - positive) for output in participant.outputs.values())
