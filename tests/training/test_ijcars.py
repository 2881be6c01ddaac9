"""The public set of Byra et al. 2018, in its very shape but small: MATLAB file -> cohort -> evaluation."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat
from typer.testing import CliRunner

from app.core.values import View
from tests.factories import sector
from training.__main__ import cli
from training.cohort import read_cohort
from training.evaluation import nested_leave_one_out
from training.features import extract_features
from training.ijcars import import_ijcars
from training.protocol import StudyProtocol
from training.results import BootstrapPlan, build_results

FAT = (0, 3, 5, 6, 10, 30, 60, 2)


def entry(number: int, fat: float, n_images: int = 2, **changed: Any) -> dict[str, Any]:
    images = np.stack([sector(217, 318, seed=10 * number + k) for k in range(n_images)])
    return {"id": number, "class": int(fat > 5), "fat": fat, "images": images} | changed


def save(path: Path, entries: list[dict[str, Any]]) -> Path:
    """Write a struct array of 1 x n, as MATLAB does."""
    fields = list(entries[0])
    data = np.empty((1, len(entries)), dtype=[(field, object) for field in fields])
    for k, each in enumerate(entries):
        for field in fields:
            data[0, k][field] = each[field]
    savemat(path, {"data": data})
    return path


@pytest.fixture
def mat(tmp_path: Path) -> Path:
    return save(tmp_path / "set.mat", [entry(number, fat) for number, fat in enumerate(FAT, start=1)])


def test_every_image_becomes_a_row(mat: Path, tmp_path: Path) -> None:
    answer = CliRunner().invoke(cli, ["import-ijcars", str(mat), str(tmp_path / "out")])
    assert answer.exit_code == 0, answer.output
    assert "it is not PDFF" in answer.output
    participants = read_cohort(tmp_path / "out" / "cohort.csv")
    assert [each.pdff_percent for each in participants] == list(FAT)
    assert [len(each.paths[View.LIVER_KIDNEY]) for each in participants] == [2] * len(FAT)
    assert list(participants[0].paths) == [View.LIVER_KIDNEY]


def test_a_cohort_of_one_view_and_several_images_is_evaluated(
    mat: Path, tmp_path: Path, bundle_folder: Path, bundle_work: Path
) -> None:
    participants = read_cohort(import_ijcars(mat, tmp_path / "out"))
    onnx_file = bundle_work / "backbone.onnx"
    from app.core.values import Preprocessing

    features = extract_features(participants, onnx_file, Preprocessing(), threads=2, label="features")
    assert features.views[View.LIVER_KIDNEY].X.shape == (2 * len(FAT), 1, 2048)
    protocol = StudyProtocol(n_rows=1, n_penalties=2, n_folds=2, strata_percent=(5.0,))
    evaluated = nested_leave_one_out(features.views, features.pdff_percent, protocol)
    assert list(evaluated.rounds) == [View.LIVER_KIDNEY]
    results = build_results(
        evaluated.predictions, asdict(protocol), "Public set", synthetic=False, bootstrap=BootstrapPlan(resamples=20)
    )
    assert len(results.participants) == len(FAT)


def test_one_image_that_lost_its_axis_is_one_image(tmp_path: Path) -> None:
    path = save(tmp_path / "one.mat", [entry(1, 3, n_images=1), entry(2, 8)])
    first, second = read_cohort(import_ijcars(path, tmp_path / "out"))
    assert [len(each.paths[View.LIVER_KIDNEY]) for each in (first, second)] == [1, 2]


def test_all_that_is_wrong_is_named(tmp_path: Path) -> None:
    wrong = [
        entry(1, 3, **{"class": 1}),
        entry(2, 130),
        entry(3, 8, images=np.zeros((2, 20, 30))),
        entry(3, 8),
    ]
    with pytest.raises(ValueError, match="not usable") as caught:
        import_ijcars(save(tmp_path / "set.mat", wrong), tmp_path / "out")
    said = str(caught.value)
    for part in ("entry 1: class 1 contradicts fat 3 %", "entry 2: fat lies", "entry 3: images is float64", "an id"):
        assert part in said
    assert not (tmp_path / "out").exists()


def test_another_file_is_refused(tmp_path: Path) -> None:
    savemat(tmp_path / "other.mat", {"x": np.ones(3)})
    with pytest.raises(ValueError, match="no struct array `data`"):
        import_ijcars(tmp_path / "other.mat", tmp_path / "out")
