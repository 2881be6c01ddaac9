"""The paper's whole protocol on one cohort: augmented features -> nested leave-one-out -> results, tables, figures."""

import hashlib
from dataclasses import asdict
from pathlib import Path

from app.core.values import Preprocessing
from training.cohort import read_cohort
from training.evaluation import NestedLeaveOneOut, nested_leave_one_out
from training.features import AugmentedFeatures, extract_augmented_features
from training.protocol import StudyProtocol
from training.report import write_report
from training.results import build_results, write_results


def cached_features(
    table: Path, onnx_file: Path, protocol: StudyProtocol, out: Path, threads: int
) -> AugmentedFeatures:
    """Extract a cohort's augmented features, unless the same table, backbone and protocol were extracted before."""
    key = hashlib.sha256(table.read_bytes() + onnx_file.read_bytes() + protocol.sha256().encode()).hexdigest()
    path = out / f"features-{key[:16]}.npz"
    if path.exists():
        return AugmentedFeatures.load(path)
    cohort = read_cohort(table)
    features = extract_augmented_features(
        cohort, onnx_file, Preprocessing(), protocol, threads=threads, label="augmented features"
    )
    features.save(path)
    return features


def evaluate_features(
    features: AugmentedFeatures, protocol: StudyProtocol, out: Path, *, description: str, synthetic: bool, jobs: int
) -> Path:
    """Hold out every participant once, and write what came out; a killed run goes on where it stopped.

    Parameters
    ----------
    features : AugmentedFeatures
    protocol : StudyProtocol
    out : Path
        Receives ``results.json``, ``report.html``, ``tables.md``, ``figures/`` and the finished rounds.
    description : str
        One sentence on the cohort.
    synthetic : bool
        Whether it was simulated.
    jobs : int
        Processes.

    Returns
    -------
    Path
        Of ``results.json``.
    """
    evaluated = nested_leave_one_out(
        features.by_view(),
        features.pdff_percent,
        protocol,
        participant_ids=features.participant_ids,
        jobs=jobs,
        checkpoint=out / "rounds",
    )
    results = build_results(evaluated.predictions, asdict(protocol), description, synthetic=synthetic)
    path = write_results(results, out / "results.json")
    write_report(results, out, extras=_certificate(evaluated))
    return path


def _certificate(evaluated: NestedLeaveOneOut) -> dict[str, dict[str, str]]:
    """Say how far the worst of all fits can be from its optimum."""
    return {"Optimality": {"largest relative duality gap of all fits": f"{evaluated.relative_gap:.1e}"}}
