import itertools
from dataclasses import replace

import numpy as np
import pytest

from app.core.ensemble import combine_views
from app.core.values import Target, Thresholds, TissueBox, View, ViewEstimate

THRESHOLDS = Thresholds(ge5=0.5, ge10=0.6)


def view_estimate(view: View, pdff_percent: float = 12, ge5: float = 0.9, ge10: float = 0.7) -> ViewEstimate:
    return ViewEstimate(
        view=view,
        sop_instance_uid=f"1.2.{list(View).index(view)}",
        frame_number=1,
        decoder="none",
        tissue_box=TissueBox(0, 0, 10, 10),
        tissue_source="image",
        pdff_percent=pdff_percent,
        probability_ge5=ge5,
        probability_ge10=ge10,
        cams={target: np.zeros((7, 7)) for target in Target},
    )


def codes(pdffs: list[float], **kwargs: float) -> set[str]:
    views = [view_estimate(view, pdff, **kwargs) for view, pdff in zip(View, pdffs, strict=False)]
    return {warning.code for warning in combine_views("1.2", views, THRESHOLDS).warnings}


def test_every_output_is_the_mean_of_the_views() -> None:
    views = [view_estimate(view, 10 + i, 0.5 + i / 10, 0.1 * i) for i, view in enumerate(View)]
    estimate = combine_views("1.2", views, THRESHOLDS)
    assert estimate.pdff_percent == pytest.approx(11.5)
    assert estimate.probability_ge5 == pytest.approx(0.65)
    assert estimate.probability_ge10 == pytest.approx(0.15)
    assert estimate.complete


def test_the_order_of_views_does_not_matter() -> None:
    views = [view_estimate(view, 3.0 * i) for i, view in enumerate(View)]
    answers = [combine_views("1.2", order, THRESHOLDS) for order in itertools.permutations(views)]
    assert {answer.pdff_percent for answer in answers} == {4.5}
    assert all([view.view for view in answer.views] == list(View) for answer in answers)


def test_a_probability_at_the_operating_point_is_steatosis() -> None:
    estimate = combine_views("1.2", [view_estimate(View.LIVER_KIDNEY, ge5=0.5, ge10=0.5999)], THRESHOLDS)
    assert estimate.steatosis_ge5
    assert not estimate.steatosis_ge10


def test_an_ordinary_study_warns_of_nothing() -> None:
    assert codes([12, 12, 12, 12]) == set()


@pytest.mark.parametrize(
    ("pdffs", "warning"),
    [
        ([12, 12, 12], "partial_study"),
        ([35, 35, 35, 35], "likely_underestimated"),
        ([-2, -2, -2, -2], "pdff_out_of_range"),
        ([101, 101, 101, 101], "pdff_out_of_range"),
        ([5, 16, 16, 16], "views_disagree"),
        ([9, 9, 9, 9], "models_disagree"),
    ],
)
def test_what_the_reader_should_know_is_said(pdffs: list[float], warning: str) -> None:
    assert warning in codes(pdffs)


def test_a_partial_study_names_what_is_missing() -> None:
    estimate = combine_views("1.2", [view_estimate(View.HEPATIC_VEINS)], THRESHOLDS)
    detail = next(warning.detail for warning in estimate.warnings if warning.code == "partial_study")
    assert "missing: right_portal_vein, right_posterior_portal_vein, liver_kidney" in detail
    assert not estimate.complete


def test_a_number_outside_the_scale_is_not_bent() -> None:
    views = [replace(view_estimate(view), pdff_percent=-1.5) for view in View]
    assert combine_views("1.2", views, THRESHOLDS).pdff_percent == -1.5
