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
    NoTissue,
    UnrecognisedView,
)
from app.core.values import Crop, ScreenNaming, Tissue, TissueBox, View, ViewSource, ViewTexts
from app.core.views import Candidate, Refused, assign_views

_numbers = itertools.count(1)


def crop(text: str = "", study: str = "1.2", protocol: str = "", screen: ScreenNaming | None = None) -> Crop:
    """A crop of its own: other UID, other picture."""
    number = next(_numbers)
    tissue = Tissue(np.full((2, 2), number, np.uint16).view(np.uint8), TissueBox(0, 0, 4, 2), "image")
    return Crop(f"1.2.3.{number}", study, 1, "none", tissue, texts(text, protocol), screen=screen)


def texts(text: str = "", protocol: str = "") -> ViewTexts:
    return ViewTexts((text,), {"ProtocolName": protocol} if protocol else {})


def refused(text: str | None, study: str = "1.2") -> Refused:
    return Refused(NoTissue("There is no tissue."), study, None if text is None else texts(text))


def study() -> list[Candidate]:
    return [Candidate(f"instances[{i}]", crop(view), None) for i, view in enumerate(View, start=1)]


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
        twice = [*study(), Candidate("instances[5]", crop("hepatic_veins"), None)]
        with pytest.raises(DuplicateView) as caught:
            assign_views(twice, allow_partial=True)
        assert caught.value.facts["parts"] == ["instances[1]", "instances[5]"]

    def test_a_picture_is_not_two_views(self) -> None:
        first, second, *others = study()
        assert isinstance(first.image, Crop)
        assert isinstance(second.image, Crop)
        same_object = Candidate("again", first.image, View.RIGHT_PORTAL_VEIN)
        same_pixels = Candidate("copy", replace(second.image, tissue=first.image.tissue), second.declared_view)
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


class TestBetterNamed:
    def test_a_name_alone_stands_before_one_that_says_more_and_it_is_remarked(self) -> None:
        lesser = Candidate("instances[5]", crop("HV 12 cm/s"))
        for order in itertools.permutations([*study(), lesser]):
            chosen = assign_views(order)[View.HEPATIC_VEINS]
            assert chosen.view_texts == texts(View.HEPATIC_VEINS)
            assert [each.code for each in chosen.warnings] == ["other_image_not_used"]

    def test_the_image_is_before_its_screen_is_before_the_examination(self) -> None:
        named = crop("HV")
        on_screen = crop(screen=ScreenNaming(View.HEPATIC_VEINS, alone=True))
        about = crop(protocol="HV")
        others = study()[1:]
        both = assign_views([Candidate("a", on_screen), Candidate("b", named), *others])
        assert both[View.HEPATIC_VEINS].sop_instance_uid == named.sop_instance_uid
        both = assign_views([Candidate("a", about), Candidate("b", on_screen), *others])
        assert both[View.HEPATIC_VEINS].sop_instance_uid == on_screen.sop_instance_uid

    def test_of_three_the_two_best_are_duplicates(self) -> None:
        three = [Candidate(part, crop(text)) for part, text in (("a", "HV"), ("b", "HV"), ("c", "HV 12 cm/s"))]
        with pytest.raises(DuplicateView) as caught:
            assign_views([*three, *study()[1:]])
        assert caught.value.facts["parts"] == ["a", "b"]


class TestSource:
    def test_each_view_says_what_told_it(self) -> None:
        sources = [
            Candidate("hepatic_veins", crop(), View.HEPATIC_VEINS),
            Candidate("b", crop("RPV")),
            Candidate("c", crop(screen=ScreenNaming(View.RIGHT_POSTERIOR_PORTAL_VEIN))),
            Candidate("d", crop(protocol="Liver kidney")),
        ]
        assert [each.view_source for each in assign_views(sources).values()] == [
            ViewSource.SENDER,
            ViewSource.ATTRIBUTE,
            ViewSource.SCREEN,
            ViewSource.ATTRIBUTE,
        ]


class TestRefusedFiles:
    def test_a_refused_file_hides_nothing_else(self) -> None:
        with pytest.raises(NoTissue) as caught:
            assign_views(
                [
                    Candidate("a", refused("HV")),
                    Candidate("b", crop("RPV")),
                    Candidate("b2", crop("RPV")),
                    Candidate("c", crop("?")),
                    Candidate("d", crop("LK", study="1.9")),
                ]
            )
        assert caught.value.part == "a"
        assert [error.code for error in caught.value.also] == [
            "mixed_studies",
            "duplicate_view",
            "unrecognised_view",
            "incomplete_study",
        ]

    @pytest.mark.parametrize("declared", [None, View.HEPATIC_VEINS])
    def test_its_view_is_not_missing(self, declared: View | None) -> None:
        file = Candidate("a", refused(None if declared else "HV"), declared)
        with pytest.raises(NoTissue) as caught:
            assign_views([file, *study()[1:]])
        assert caught.value.also == ()

    def test_what_may_be_a_missing_view_does_not_let_it_be_called_missing(self) -> None:
        with pytest.raises(NoTissue) as caught:
            assign_views([Candidate("a", refused(None, study="")), *study()[1:]])
        assert caught.value.also == ()

    def test_but_the_views_beside_a_known_one_are_missing(self) -> None:
        with pytest.raises(NoTissue) as caught:
            assign_views([Candidate("a", refused("HV")), *study()[2:]])
        (missing,) = caught.value.also
        assert missing.facts == {"missing_views": [View.RIGHT_PORTAL_VEIN]}

    def test_its_study_counts(self) -> None:
        with pytest.raises(NoTissue) as caught:
            assign_views([Candidate("a", refused("HV", study="1.9")), *study()[1:]])
        assert [error.code for error in caught.value.also] == ["mixed_studies"]


class TestWords:
    @pytest.mark.parametrize(
        ("image", "words"),
        [
            (crop("?"), "LIVER_PDFF_READ_SCREENS"),
            (crop("?", screen=ScreenNaming(None)), "The text on its screen was read"),
            (crop("?", protocol="HV 12 cm/s"), "does not tell the images of the study apart"),
        ],
    )
    def test_an_unrecognised_part_says_what_was_looked_at_and_where_rules_are(self, image: Crop, words: str) -> None:
        with pytest.raises(UnrecognisedView) as caught:
            assign_views([Candidate("a", image), *study()])
        for word in (words, "View Name", "LIVER_PDFF_VIEW_RULES", "docs/views.md"):
            assert word in caught.value.detail
