"""From features to a report, small: what `python -m training evaluate` does after the backbone."""

from pathlib import Path

import numpy as np

from app.core.values import View
from training.features import CohortFeatures
from training.phantom import draw_pdff_percent
from training.protocol import StudyProtocol
from training.report import write_report
from training.results import read_results
from training.solvers import Design
from training.study import evaluate_features


def some_features(n: int = 24, n_rows: int = 1, p: int = 12) -> CohortFeatures:
    """Features of which two carry PDFF in every view."""
    rng = np.random.default_rng(4)
    pdff = draw_pdff_percent(n, 4)
    X = rng.normal(size=(n, 4, n_rows, p))
    X[..., 0] += pdff[:, None, None] / 6
    X[..., 1] -= pdff[:, None, None] / 9
    views = {view: Design(X[:, k]) for k, view in enumerate(View)}
    return CohortFeatures(tuple(f"P{i}" for i in range(n)), pdff, views, "")


def test_features_become_results_and_a_report(tmp_path: Path) -> None:
    protocol = StudyProtocol(n_rows=1)
    path = evaluate_features(some_features(), protocol, tmp_path, description="simulated", synthetic=True, jobs=1)
    results = read_results(path)
    assert results.protocol_sha256 == protocol.sha256()
    assert len(results.participants) == 24
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Averaged multiview model" in report
    assert "largest relative duality gap" in report
    again = write_report(results, tmp_path / "again")
    assert again.exists()
    assert (tmp_path / "again" / "tables.md").read_text() == (tmp_path / "tables.md").read_text()
