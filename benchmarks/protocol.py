"""Time the whole protocol, and scikit-learn's GridSearchCV on a sample of its rounds, in one run.

``python -m benchmarks.protocol --rounds 3 --rival-rounds 1 --out benchmarks/results``; ``--full`` runs every round.

Shape: 135 participants x 4 views x 10 rows, 2,048 features a view, 10 penalties, 4 folds, three targets, five models.
Features are synthetic: positive, correlated through forty latent causes, of which PDFF is one; augmented rows of a
participant differ little; ``--features`` takes real ones. One thread a process; CPU seconds, which a busy machine
disturbs less than the clock.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from app.core.values import Floats, Target, View
from training.evaluation import nested_leave_one_out
from training.features import CohortFeatures
from training.heads import GridSearch, grid_search, pdff_strata, stratified_folds, training_problem
from training.protocol import StudyProtocol
from training.solvers import Design, side_by_side, strongest_penalty

PARTICIPANTS, FEATURES, VIEWS = 135, 2048, 4


@dataclass(frozen=True, slots=True)
class Timing:
    """CPU seconds of one grid search with refit: ours and the rival's, and our largest certificate."""

    model: str
    target: str
    ours_s: float
    rival_s: float
    relative_gap: float


def read_cohort(path: Path) -> tuple[Mapping[View, Design], Floats]:
    """Read features of 135 participants, as they were extracted."""
    features = CohortFeatures.load(path)
    if len(features.participant_ids) != PARTICIPANTS:
        raise ValueError(f"{path} holds {len(features.participant_ids)} participants, not {PARTICIPANTS}")
    return features.views, features.pdff_percent


def cohort(protocol: StudyProtocol) -> tuple[Mapping[View, Design], Floats]:
    """Features of shape (135, 10, 2048) for each view, and PDFF as in Figure 1 of Byra et al. 2021, percent."""
    rng = np.random.default_rng(protocol.seed)
    pdff = rng.permutation(
        np.concatenate([rng.uniform(1, 5, 17), rng.uniform(5, 10, 34), 10 + np.minimum(rng.exponential(8, 84), 32)])
    )
    causes = np.column_stack([(pdff - 14) / 8, rng.normal(size=(PARTICIPANTS, 39))])
    return {view: Design(_view(causes, protocol.n_rows, rng)) for view in View}, pdff


def _view(causes: Floats, n_rows: int, rng: np.random.Generator) -> Floats:
    effects = rng.normal(size=(40, FEATURES)) * 0.9 ** np.arange(40)[:, None]
    effects[0] *= 0.5
    base = causes @ effects + 0.6 * rng.normal(size=(PARTICIPANTS, FEATURES))
    nudges = rng.normal(size=(PARTICIPANTS, n_rows, 12)) @ (0.3 * rng.normal(size=(12, FEATURES)))
    noise = 0.15 * rng.normal(size=(PARTICIPANTS, n_rows, FEATURES))
    return np.asarray(np.logaddexp(0, base[:, None] + nudges + noise - 1))


def rival(design: Design, pdff: Floats, others: np.ndarray, target: Target, protocol: StudyProtocol) -> object:
    """Do what the paper's readers would: a pipeline in GridSearchCV, whole participants, default tolerances."""
    whole = training_problem(pdff, others, target, protocol, protocol.penalty_steps())
    alphas = strongest_penalty(design, whole) / protocol.penalty_steps()
    X, y = design.X[others].reshape(-1, design.X.shape[2]), np.repeat(whole.y, design.X.shape[1])
    weights = np.repeat(whole.weights, design.X.shape[1])
    folds = np.repeat(stratified_folds(pdff_strata(pdff[others], protocol), 4, protocol.seed), design.X.shape[1])
    splits = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(4)]
    if target is Target.PDFF:
        model, grid = Lasso(max_iter=100_000), {"lasso__alpha": alphas}
    else:
        model = LogisticRegression(l1_ratio=1.0, solver="liblinear", max_iter=10_000, random_state=0)
        grid = {"logisticregression__C": 1 / (alphas * weights.sum())}
    search = GridSearchCV(make_pipeline(StandardScaler(), model), grid, cv=splits)
    return search.fit(X, y, **{f"{'lasso' if target is Target.PDFF else 'logisticregression'}__sample_weight": weights})


def timed(work: Callable[[], object]) -> tuple[object, float]:
    """Return what `work` returns, and its CPU seconds."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def measure(
    name: str, design: Design, pdff: Floats, target: Target, protocol: StudyProtocol, rounds: int, rivals: int
) -> Timing:
    """Time some rounds of one model and target."""
    everyone = np.arange(PARTICIPANTS)
    results = [
        timed(lambda i=i: grid_search(design, pdff, np.delete(everyone, i), target, protocol))  # type: ignore[misc] # a default binds i
        for i in range(rounds)
    ]
    gap = max(result.relative_gap for result, _ in results if isinstance(result, GridSearch))
    spent = [timed(lambda i=i: rival(design, pdff, np.delete(everyone, i), target, protocol))[1] for i in range(rivals)]  # type: ignore[misc] # as above
    timing = Timing(
        name, target, float(np.mean([s for _, s in results])), float(np.mean(spent)) if spent else np.nan, gap
    )
    print(timing, flush=True)
    return timing


def totals(timings: list[Timing]) -> dict[str, float]:
    """CPU seconds of the whole protocol: four views and the composite, every round."""
    times = [VIEWS if timing.model == "view" else 1 for timing in timings]
    ours = sum(k * PARTICIPANTS * t.ours_s for k, t in zip(times, timings, strict=True))
    rival_s = sum(k * PARTICIPANTS * t.rival_s for k, t in zip(times, timings, strict=True))
    return {
        "ours_cpu_s": ours,
        "rival_cpu_s": rival_s,
        "ratio": rival_s / ours,
        "largest_relative_gap": max(t.relative_gap for t in timings),
    }


def markdown(timings: list[Timing], summary: dict[str, float]) -> str:
    """Report as a table."""
    lines = [
        "| model | target | ours, s a round | GridSearchCV, s a round | ratio | largest relative gap |",
        "|---|---|---|---|---|---|",
        *(
            f"| {t.model} | {t.target} | {t.ours_s:.2f} | {t.rival_s:.1f} | {t.rival_s / t.ours_s:.0f} | "
            f"{t.relative_gap:.0e} |"
            for t in timings
        ),
        "",
        *(f"- {name}: {value:.4g}" for name, value in summary.items()),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, write JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rival-rounds", type=int, default=1)
    parser.add_argument("--full", action="store_true", help="run the whole protocol too, and time it by the clock")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--features", type=Path, help="of a real cohort, written by `evaluate`, instead of synthetic ones"
    )
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    protocol = StudyProtocol()
    features, pdff = read_cohort(options.features) if options.features else cohort(protocol)
    designs = {"view": next(iter(features.values())), "composite": side_by_side(list(features.values()))}
    with threadpool_limits(1, user_api="blas"):
        timings = [
            measure(name, design, pdff, target, protocol, options.rounds, options.rival_rounds)
            for name, design in designs.items()
            for target in Target
        ]
    summary = totals(timings)
    if options.full:
        start = time.perf_counter()
        result = nested_leave_one_out(features, pdff, protocol, jobs=options.jobs)
        summary |= {"full_wall_s": time.perf_counter() - start, "full_relative_gap": result.relative_gap}
    report = markdown(timings, summary)
    print(report)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        document = {
            "machine": platform.processor() or platform.machine(),
            "protocol_sha256": protocol.sha256(),
            "timings": [{name: getattr(t, name) for name in Timing.__slots__} for t in timings],
            "summary": summary,
        }
        (options.out / "protocol.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        (options.out / "protocol.md").write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
