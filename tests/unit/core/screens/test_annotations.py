"""Which lines count, and what they say together: no reader is needed."""

import pytest

from app.core.naming import DEFAULT_VIEW_RULES
from app.core.screens.annotations import annotation_boxes, joined_boxes, name_screen
from app.core.screens.values import Line
from app.core.values import ScreenNaming, TissueBox, View

TISSUE = TissueBox(200, 90, 820, 700)
ROWS = 768


def line(x: int, y: int, width: int = 120, height: int = 18) -> TissueBox:
    return TissueBox(x, y, x + width, y + height)


def kept(*lines: TissueBox) -> list[TissueBox]:
    return annotation_boxes(lines, TISSUE, ROWS)


def named(*texts: str, gap: int = 6) -> ScreenNaming:
    """Write texts below each other; None ends an annotation."""
    return name_screen([Line(line(12, 500 + k * (18 + gap)), text) for k, text in enumerate(texts)], DEFAULT_VIEW_RULES)


class TestWhere:
    @pytest.mark.parametrize(
        "place", [line(12, 740), line(450, 704), line(840, 400), line(400, 300), line(20, 110)],
        ids=["bottom left", "below", "beside", "inside", "beside the apex"],
    )  # fmt: skip
    def test_a_line_on_its_own_is_an_annotation(self, place: TissueBox) -> None:
        assert kept(place) == [place]

    def test_the_header_is_not(self) -> None:
        assert kept(line(20, 8), line(20, 40), line(700, 20), line(400, 70)) == []

    @pytest.mark.parametrize("count", [4, 5, 12])
    def test_a_column_of_parameters_is_not(self, count: int) -> None:
        column = [line(20, 200 + 30 * k, width=60 + 7 * k) for k in range(count)]
        assert kept(*column, line(12, 740)) == [line(12, 740)]

    def test_a_right_aligned_column_is_not(self) -> None:
        assert kept(*(TissueBox(900 + 9 * k, 200 + 30 * k, 1010, 218 + 30 * k) for k in range(5))) == []

    def test_two_lines_are_no_column(self) -> None:
        assert len(kept(line(20, 600), line(20, 624))) == 2

    def test_far_apart_is_no_column(self) -> None:
        assert len(kept(*(line(20, 150 + 120 * k) for k in range(4)))) == 4

    def test_a_row_of_soft_keys_is_not(self) -> None:
        keys = [line(20 + 160 * k, 745, width=90) for k in range(6)]
        assert kept(*keys, line(12, 715)) == [line(12, 715)]

    def test_words_side_by_side_are_one_line(self) -> None:
        assert joined_boxes([line(60, 500, 40), line(12, 501, 36), line(400, 500)]) == [
            TissueBox(12, 500, 100, 519),
            line(400, 500),
        ]

    def test_letters_of_another_size_are_another_line(self) -> None:
        assert len(joined_boxes([line(12, 500, 40, 12), line(56, 500, 40, 24)])) == 2


class TestWhat:
    @pytest.mark.parametrize(
        ("texts", "view"),
        [
            (["RIGHT PORTAL VEIN"], View.RIGHT_PORTAL_VEIN),
            (["RIGHT PORTAL", "VEIN"], View.RIGHT_PORTAL_VEIN),
            (["RT POST", "PORTAL VEIN"], View.RIGHT_POSTERIOR_PORTAL_VEIN),
            (["LIVER", "RT KIDNEY"], View.LIVER_KIDNEY),
        ],
    )
    def test_an_annotation_may_take_two_lines(self, texts: list[str], view: View) -> None:
        assert named(*texts).view is view

    def test_annotations_that_name_two_views_decide_nothing(self) -> None:
        assert named("HEPATIC VEINS", "LIVER/KIDNEY", gap=6) == ScreenNaming(None)
        assert named("HEPATIC VEINS", "LIVER/KIDNEY", gap=60) == ScreenNaming(None)

    def test_the_same_view_twice_is_that_view(self) -> None:
        assert named("RPV", "RIGHT PORTAL VEIN", gap=60).view is View.RIGHT_PORTAL_VEIN

    def test_what_names_no_view_does_not_disturb(self) -> None:
        assert named("SUPINE", "HEPATIC VEINS", gap=60).view is View.HEPATIC_VEINS

    @pytest.mark.parametrize("text", ["LK", "lk "])
    def test_what_mostly_means_the_left_kidney_names_nothing(self, text: str) -> None:
        assert named(text) == ScreenNaming(None)

    def test_nothing_names_nothing(self) -> None:
        assert named() == ScreenNaming(None)
        assert named("SPLEEN") == ScreenNaming(None)

    @pytest.mark.parametrize(
        "text", ["RPV 1.2 cm", "Hepatic veins 24 cm/s", "RT PV: 12", "LK 45%", "LIVER KIDNEY 3.5 MHz"]
    )
    def test_a_measurement_is_no_annotation(self, text: str) -> None:
        assert named(text) == ScreenNaming(None)

    def test_alone_is_a_text_that_names_a_view_and_nothing_else(self) -> None:
        assert named("HEPATIC VEINS").alone
        assert not named("HEPATIC VEINS SUPINE").alone

    @pytest.mark.parametrize("text", ["RIGHT PO STERIOR PORTAL VEIN", "RT P0ST PV", "right posteri or portal vein"])
    def test_a_misread_posterior_is_not_the_right_portal_vein(self, text: str) -> None:
        assert named(text).view is None

    def test_what_was_read_is_not_printed(self) -> None:
        assert "Quixote" not in repr(Line(line(1, 1), "Quixote"))
