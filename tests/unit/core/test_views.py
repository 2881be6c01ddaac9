import itertools
from dataclasses import replace

import numpy as np
import pytest

from app.core.errors import (
    AnalysisError,
    DuplicateInstance,
    DuplicateView,
    EmptyUpload,
    IncompleteStudy,
    MixedStudies,
    UnrecognisedView,
)
from app.core.values import Crop, Tissue, TissueBox, View
from app.core.views import Candidate, assign_views, recognise_view

_numbers = itertools.count(1)


def crop(text: str = "", study: str = "1.2") -> Crop:
    """A crop of its own: other UID, other picture."""
    number = next(_numbers)
    tissue = Tissue(np.full((2, 2), number, np.uint16).view(np.uint8), TissueBox(0, 0, 4, 2), "image")
    return Crop(f"1.2.3.{number}", study, 1, "none", tissue, view_texts=(text,))


def study() -> list[Candidate]:
    return [Candidate(f"instances[{i}]", crop(view), None) for i, view in enumerate(View, start=1)]


class TestRecogniseView:
    def test_the_most_telling_text_decides(self) -> None:
        assert recognise_view(["RPV", "hepatic veins"]) is View.RIGHT_PORTAL_VEIN

    def test_a_text_that_names_two_views_decides_nothing(self) -> None:
        assert recognise_view(["hepatic veins and right portal vein"]) is None
        assert recognise_view(["HV RPV", "LK"]) is View.LIVER_KIDNEY


class TestAssignViews:
    def test_finds_the_four_views_in_any_order(self) -> None:
        for order in itertools.permutations(study()):
            assert list(assign_views(order)) == list(View)

    def test_a_declared_view_decides_over_any_text(self) -> None:
        declared = [Candidate(view, crop("RPV"), view) for view in View]
        assert list(assign_views(declared)) == list(View)

    def test_names_every_missing_view(self) -> None:
        with pytest.raises(IncompleteStudy, match="right_portal_vein, liver_kidney") as caught:
            assign_views([study()[0], study()[2]])
        assert caught.value.facts["missing_views"] == [View.RIGHT_PORTAL_VEIN, View.LIVER_KIDNEY]

    def test_a_part_is_enough_when_allowed(self) -> None:
        assert list(assign_views(study()[1:3], allow_partial=True)) == list(View)[1:3]

    def test_nothing_is_never_enough(self) -> None:
        with pytest.raises(EmptyUpload):
            assign_views([], allow_partial=True)

    def test_a_view_is_not_chosen_among_two(self) -> None:
        twice = [*study(), Candidate("instances[5]", crop("HV"), None)]
        with pytest.raises(DuplicateView) as caught:
            assign_views(twice, allow_partial=True)
        assert caught.value.facts["parts"] == ["instances[1]", "instances[5]"]

    def test_a_picture_is_not_two_views(self) -> None:
        first, second, *others = study()
        same_object = Candidate("again", first.crop, View.RIGHT_PORTAL_VEIN)
        same_pixels = Candidate("copy", replace(second.crop, tissue=first.crop.tissue), second.declared_view)
        for twin in (same_object, same_pixels):
            with pytest.raises(DuplicateInstance, match="same picture"):
                assign_views([first, twin, *others])

    def test_a_text_that_contradicts_the_field_is_warned_of(self) -> None:
        declared = [Candidate(view, crop("RPV"), view) for view in View]
        warned = {view: [w.code for w in each.warnings] for view, each in assign_views(declared).items()}
        assert warned.pop(View.RIGHT_PORTAL_VEIN) == []
        assert all(codes == ["view_contradicts_dicom"] for codes in warned.values())

    def test_two_studies_are_not_mixed(self) -> None:
        mixed = [*study()[:3], Candidate("instances[4]", crop("LK", study="1.9"), None)]
        with pytest.raises(MixedStudies, match=r"instances\[4\]"):
            assign_views(mixed)

    def test_an_unrecognised_part_is_named_without_its_text(self) -> None:
        strange = [*study(), Candidate("instances[5]", crop("DOE^JANE"), None)]
        with pytest.raises(UnrecognisedView) as caught:
            assign_views(strange)
        assert caught.value.part == "instances[5]"
        assert "DOE" not in str(caught.value)

    def test_one_answer_lists_all_that_is_wrong(self) -> None:
        with pytest.raises(MixedStudies) as caught:
            assign_views(
                [
                    Candidate("a", crop("HV"), None),
                    Candidate("b", crop("HV", study="1.9"), None),
                    Candidate("c", crop("?"), None),
                ]
            )
        found: list[AnalysisError] = [caught.value, *caught.value.also]
        assert [error.code for error in found] == [
            "mixed_studies",
            "duplicate_view",
            "unrecognised_view",
            "incomplete_study",
        ]
