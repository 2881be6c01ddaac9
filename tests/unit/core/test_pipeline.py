"""The whole walk with a cheap backbone: its laws do not depend on which features a network finds."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from app.core.errors import NonFiniteOutput
from app.core.pipeline import Model, crop_instance, estimate_study, fingerprint
from app.core.values import Crop, DicomInstance, HeadOutputs, Preprocessing, Target, Thresholds, Tissue, View
from tests.factories import sector
from tests.fakes import FakeNetwork


def instance(view: View, seed: int = 1, rows: int = 480) -> DicomInstance:
    number = list(View).index(view)
    pixels = sector(rows, rows * 4 // 3, seed + number)
    return DicomInstance(f"1.2.3.{number}", "1.2.3", "1.2.840.10008.1.2.1", pixels, decoder="none")


def crop_study() -> dict[View, Crop]:
    return {view: crop_instance(instance(view)) for view in View}


def model() -> Model:
    return Model(FakeNetwork(), Preprocessing(), Thresholds(0.5, 0.5))


class TestEstimateStudy:
    def test_every_map_adds_up_to_its_output(self) -> None:
        network = FakeNetwork()
        for view in estimate_study(crop_study(), replace(model(), network=network)).views:
            output = view.cams[Target.PDFF].mean() + network.heads[view.view][Target.PDFF].intercept
            assert output == pytest.approx(view.pdff_percent, abs=1e-12)

    def test_the_same_study_gives_the_same_answer(self) -> None:
        answers = {estimate_study(crop_study(), model()).pdff_percent for _ in range(3)}
        assert len(answers) == 1

    def test_a_view_does_not_depend_on_the_others(self) -> None:
        whole = estimate_study(crop_study(), model())
        for view in whole.views:
            alone = estimate_study({view.view: crop_instance(instance(view.view))}, model())
            assert alone.views[0].pdff_percent == pytest.approx(view.pdff_percent, abs=1e-6)

    def test_where_it_was_read_from_travels_along(self) -> None:
        cine = replace(instance(View.LIVER_KIDNEY), frame_number=7, number_of_frames=9)
        view = estimate_study({View.LIVER_KIDNEY: crop_instance(cine)}, model()).views[0]
        assert (view.frame_number, view.sop_instance_uid, view.decoder) == (7, "1.2.3.3", "none")

    def test_a_small_picture_is_warned_of(self) -> None:
        small = crop_instance(instance(View.LIVER_KIDNEY, rows=240))
        warnings = estimate_study({View.LIVER_KIDNEY: small}, model()).views[0].warnings
        assert [warning.code for warning in warnings] == ["low_resolution"]

    def test_a_network_that_breaks_is_not_believed(self) -> None:
        class Broken(FakeNetwork):
            def __call__(self, pictures: np.ndarray, views: Sequence[View]) -> HeadOutputs:
                outputs = super().__call__(pictures, views)
                return HeadOutputs(outputs.values * np.nan, outputs.cams)

        with pytest.raises(NonFiniteOutput):
            estimate_study(crop_study(), replace(model(), network=Broken()))


class TestFingerprint:
    def test_the_order_of_views_does_not_matter(self) -> None:
        crops = crop_study()
        assert fingerprint(crops, "b") == fingerprint(dict(reversed(crops.items())), "b")

    @pytest.mark.parametrize(
        "change",
        [
            {"sop_instance_uid": "1.2.9"},
            {"study_instance_uid": "1.2.9"},
            {"frame_number": 2},
        ],
    )
    def test_anything_else_is_another_question(self, change: dict[str, object]) -> None:
        crops = crop_study()
        other = {**crops, View.LIVER_KIDNEY: replace(crops[View.LIVER_KIDNEY], **change)}  # type: ignore[arg-type] # fields by name
        assert fingerprint(crops, "b") != fingerprint(other, "b")

    def test_one_grey_level_is_another_question(self) -> None:
        crops = crop_study()
        kidney = crops[View.LIVER_KIDNEY]
        pixels = kidney.tissue.pixels.copy()
        pixels[100, 100] ^= 1
        other: dict[View, Crop] = {
            **crops,
            View.LIVER_KIDNEY: replace(kidney, tissue=Tissue(pixels, kidney.tissue.box, kidney.tissue.source)),
        }
        assert fingerprint(crops, "b") != fingerprint(other, "b")

    def test_another_bundle_is_another_question(self) -> None:
        crops = crop_study()
        assert fingerprint(crops, "a") != fingerprint(crops, "b")
