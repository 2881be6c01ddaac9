"""The frozen protocol."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from app.core.values import GreyImage, Preprocessing, View
from training.augmentation import Augmentation, augment, draw_augmentations
from training.cohort import read_cohort
from training.features import CohortFeatures, extract_features
from training.phantom import write_cohort
from training.protocol import StudyProtocol

OTHER: dict[str, object] = {
    "seed": 1,
    "n_folds": 5,
    "strata_percent": (5.0,),
    "n_penalties": 9,
    "penalty_ratio": 50.0,
    "max_shift_pixels": 10,
    "n_rows": 4,
    "reflect": False,
    "predict_with": "all",
    "classifier_weights": "equal",
    "regression_weights": "equal",
    "pdff_bin_percent": 2.5,
    "scaling": "none",
    "selection": "one_standard_error",
    "selection_weights": "equal",
    "averaging": "log_odds",
}


@pytest.mark.parametrize("name", [field.name for field in fields(StudyProtocol)])
def test_the_hash_changes_with_every_field(name: str) -> None:
    changed = replace(StudyProtocol(), **{name: OTHER[name]})  # type: ignore[arg-type] # fields by name
    assert changed.sha256() != StudyProtocol().sha256()


def test_equal_protocols_share_a_hash() -> None:
    assert StudyProtocol(seed=3).sha256() == StudyProtocol(seed=3).sha256()


def test_the_docstring_gives_a_reason_for_every_field() -> None:
    for field in fields(StudyProtocol):
        assert field.name in (StudyProtocol.__doc__ or "")


def test_penalties_fall_evenly_in_logarithm_from_under_the_strongest() -> None:
    steps = StudyProtocol().penalty_steps()
    assert len(steps) == 10
    assert steps[-1] == pytest.approx(100)
    np.testing.assert_allclose(steps[1:] / steps[:-1], steps[0])


class TestAugmentation:
    @pytest.fixture
    def tissue(self) -> GreyImage:
        """A crop whose grey level names its column."""
        return np.tile(np.arange(1, 61, dtype=np.uint8), (40, 1))

    @pytest.mark.parametrize("shift", [-20, -1, 0, 7, 20, 200])
    def test_a_shift_crops_the_masked_screen_elsewhere(self, tissue: GreyImage, shift: int) -> None:
        screen = np.zeros((40, 60 + 2 * 200), np.uint8)
        screen[:, 200:260] = tissue
        expected = screen[:, 200 + shift : 260 + shift]
        np.testing.assert_array_equal(augment(tissue, Augmentation(shift)), expected)

    def test_a_reflection_mirrors_the_crop(self, tissue: GreyImage) -> None:
        np.testing.assert_array_equal(augment(tissue, Augmentation(5, reflected=True))[0, 5:], np.arange(60, 5, -1))

    def test_the_first_row_is_the_image_as_it_is(self) -> None:
        assert draw_augmentations(StudyProtocol(), "P1", View.LIVER_KIDNEY)[0] == Augmentation(0, reflected=False)

    def test_rows_are_drawn_for_each_image_and_reach_both_sides(self) -> None:
        drawn = [draw_augmentations(StudyProtocol(), f"P{i}", View.LIVER_KIDNEY) for i in range(40)]
        shifts = np.array([[row.shift_pixels for row in rows] for rows in drawn])
        assert shifts.shape == (40, 10)
        assert (shifts.min(), shifts.max()) == (-20, 20)
        assert 0.4 < np.mean([row.reflected for rows in drawn for row in rows]) < 0.6
        assert drawn[3] == draw_augmentations(StudyProtocol(), "P3", View.LIVER_KIDNEY)
        assert len({tuple(rows) for rows in shifts.tolist()}) == 40

    def test_reflection_can_be_left_out(self) -> None:
        assert not any(r.reflected for r in draw_augmentations(StudyProtocol(reflect=False), "P", View.LIVER_KIDNEY))


def test_row_zero_of_augmented_features_is_what_the_service_computes(
    bundle_folder: Path, bundle_work: Path, tmp_path: Path
) -> None:
    write_cohort(tmp_path, 1, 5)
    people, onnx_file = read_cohort(tmp_path / "cohort.csv"), bundle_work / "backbone.onnx"
    plain = extract_features(people, onnx_file, Preprocessing(), threads=2, label="plain")
    protocol = StudyProtocol(n_rows=3)
    rows = extract_features(people, onnx_file, Preprocessing(), protocol, threads=2, label="rows")
    rows.save(tmp_path / "rows.npz")
    kept = CohortFeatures.load(tmp_path / "rows.npz")
    for view in View:
        X = rows.views[view].X
        assert X.shape == (1, 3, 2048)
        np.testing.assert_allclose(X[:, :1], plain.views[view].X, rtol=1e-3, atol=1e-5)
        assert (X[:, 1] != X[:, 0]).any()
        np.testing.assert_array_equal(kept.views[view].X, X)
