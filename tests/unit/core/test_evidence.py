"""What names a view, alone and among the images of a study."""

import random
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.evidence import MOST_IMAGES_OF_A_NAME, Evidence, Recognition, gather, name_by_texts, recognise
from app.core.naming import DEFAULT_VIEW_RULES, Naming, ViewRule
from app.core.values import ScreenNaming, View, ViewSource, ViewTexts

STUDY = "1.2.3"
LABELS: Mapping[View, str] = {
    View.HEPATIC_VEINS: "Hepatic veins",
    View.RIGHT_PORTAL_VEIN: "Right portal vein",
    View.RIGHT_POSTERIOR_PORTAL_VEIN: "Right posterior portal vein",
    View.LIVER_KIDNEY: "Liver kidney",
}


def said(
    *image: str,
    protocol: str = "",
    series: str = "",
    screen: ScreenNaming | None = None,
    declared: View | None = None,
    rules: Sequence[ViewRule] = DEFAULT_VIEW_RULES,
) -> Evidence:
    about = {"ProtocolName": protocol, "SeriesDescription": series}
    texts = ViewTexts(image, {keyword: text for keyword, text in about.items() if text})
    return gather(texts, STUDY, rules, screen=screen, declared=declared)


def views(*images: Evidence) -> list[View | None]:
    return [each and each.view for each in recognise(images)]


def one(image: Evidence) -> Recognition:
    (recognition,) = recognise([image])
    assert recognition
    return recognition


class TestNameByTexts:
    def test_the_most_telling_text_decides(self) -> None:
        naming = name_by_texts(["RPV", "hepatic veins"], DEFAULT_VIEW_RULES)
        assert naming == Naming(View.RIGHT_PORTAL_VEIN, alone=True)

    def test_a_text_that_names_two_views_decides_nothing(self) -> None:
        assert name_by_texts(["hepatic veins and right portal vein"], DEFAULT_VIEW_RULES) is None
        naming = name_by_texts(["HV RPV", "LK"], DEFAULT_VIEW_RULES)
        assert naming
        assert naming.view is View.LIVER_KIDNEY

    def test_a_code_needs_no_rule(self) -> None:
        assert name_by_texts([View.LIVER_KIDNEY], []) == Naming(View.LIVER_KIDNEY, alone=True)


class TestOrderOfEvidence:
    SCREEN = ScreenNaming(View.RIGHT_POSTERIOR_PORTAL_VEIN, alone=True)

    def test_the_sender_comes_before_the_image_before_its_screen_before_the_examination(self) -> None:
        other = said(protocol="RPV")
        lines = (
            (said("HV", protocol="LK", screen=self.SCREEN, declared=View.LIVER_KIDNEY), View.LIVER_KIDNEY, "sender"),
            (said("HV", protocol="LK", screen=self.SCREEN), View.HEPATIC_VEINS, "attribute"),
            (said(screen=self.SCREEN), View.RIGHT_POSTERIOR_PORTAL_VEIN, "screen"),
            (said(protocol="LK"), View.LIVER_KIDNEY, "attribute"),
        )
        for image, view, source in lines:
            found, _ = recognise([image, other])
            assert found
            assert (found.view, found.source) == (view, source)

    def test_a_screen_that_names_nothing_leaves_it_to_the_examination(self) -> None:
        images = [said(protocol="LK", screen=ScreenNaming(None)), said(protocol="RPV", screen=ScreenNaming(None))]
        assert views(*images) == [View.LIVER_KIDNEY, View.RIGHT_PORTAL_VEIN]

    def test_nothing_names_nothing(self) -> None:
        assert views(said("abdomen"), said()) == [None, None]

    @pytest.mark.parametrize(
        ("image", "codes"),
        [
            (said("HV", declared=View.HEPATIC_VEINS), []),
            (said("RPV", declared=View.HEPATIC_VEINS), ["view_contradicts_dicom"]),
            (said("RPV", screen=SCREEN), ["view_contradicts_screen"]),
            (said("RPV", screen=ScreenNaming(View.RIGHT_PORTAL_VEIN)), []),
            (said("RPV", screen=ScreenNaming(None)), []),
            (
                said("RPV", screen=SCREEN, declared=View.HEPATIC_VEINS),
                ["view_contradicts_dicom", "view_contradicts_screen"],
            ),
        ],
    )
    def test_what_names_another_view_is_warned_of(self, image: Evidence, codes: list[str]) -> None:
        assert sorted(each.code for each in one(image).warnings) == codes

    def test_a_text_of_the_examination_contradicts_where_it_counts(self) -> None:
        swapped = [said(protocol="LK", declared=View.HEPATIC_VEINS), said(protocol="HV", declared=View.LIVER_KIDNEY)]
        assert all(
            each and [w.code for w in each.warnings] == ["view_contradicts_dicom"] for each in recognise(swapped)
        )
        alike = [said(protocol="LK", declared=view) for view in View]
        assert all(each and not each.warnings for each in recognise(alike))


class TestTextsOfTheExamination:
    def test_by_itself_it_decides_nothing(self) -> None:
        assert views(said(protocol="Liver kidney")) == [None]

    def test_the_same_on_every_image_decides_nothing(self) -> None:
        assert views(*[said(protocol="Liver kidney")] * 3) == [None] * 3

    def test_one_a_view_names_the_views(self) -> None:
        for keyword in ("protocol", "series"):
            assert views(*(said(**{keyword: text}) for text in LABELS.values())) == list(View)  # type: ignore[arg-type] # by keyword

    def test_beside_images_without_one_it_tells_them_apart(self) -> None:
        assert views(said(protocol="LK"), said(), said(protocol="Abdomen")) == [View.LIVER_KIDNEY, None, None]

    @pytest.mark.parametrize("many", [1, 3, 12])
    def test_an_examination_beside_its_measurements_names_no_view(self, many: int) -> None:
        images = [said(series="US LIVER AND RENAL")] * many + [said(series="MEASUREMENTS")]
        assert views(*images) == [None] * (many + 1)

    def test_what_stands_on_more_than_a_few_images_is_the_name_of_a_series(self) -> None:
        few, more = ([said(protocol="LK")] * count for count in (MOST_IMAGES_OF_A_NAME, MOST_IMAGES_OF_A_NAME + 1))
        assert views(*few, said(protocol="RPV")) == [View.LIVER_KIDNEY] * len(few) + [View.RIGHT_PORTAL_VEIN]
        assert views(*more, said(protocol="RPV")) == [None] * len(more) + [View.RIGHT_PORTAL_VEIN]

    def test_what_stands_on_another_view_too_is_no_name_of_a_view(self) -> None:
        for other in (said("HV", protocol="LK"), said(protocol="LK", screen=ScreenNaming(View.HEPATIC_VEINS))):
            assert views(said(protocol="LK"), other, said(protocol="RPV"))[0] is None

    def test_a_running_number_does_not_make_another_text(self) -> None:
        assert views(*(said(series=f"Liver-Kidney {n}") for n in range(3))) == [None] * 3

    def test_a_rule_of_the_site_lets_it_count_by_itself(self) -> None:
        rules = [ViewRule(View.LIVER_KIDNEY, r"\bleber niere\b", examination=True)]
        image = said(protocol="Leber/Niere", rules=rules)
        assert views(image) == [View.LIVER_KIDNEY]
        assert views(*[image] * 9) == [View.LIVER_KIDNEY] * 9

    def test_no_word_of_it_is_kept_and_no_two_studies_are_alike(self) -> None:
        texts = ViewTexts((), {"ProtocolName": "Liver kidney"})
        (first,), (second,) = (gather(texts, uid, DEFAULT_VIEW_RULES).examination for uid in ("1.2", "1.3"))
        assert first.digest != second.digest
        assert "kidney" not in repr(first).replace("liver_kidney", "").replace("LIVER_KIDNEY", "").lower()


TEXTS = st.sampled_from(["", "LK", "RPV", "HV", "US LIVER AND RENAL", "MEASUREMENTS"])
SCREENS = st.sampled_from([None, ScreenNaming(None), *(ScreenNaming(view, alone=True) for view in View)])
IMAGES = st.builds(lambda text, protocol, screen: said(text, protocol=protocol, screen=screen), TEXTS, TEXTS, SCREENS)


@given(st.lists(IMAGES, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_the_images_does_not_matter(images: list[Evidence], rng: random.Random) -> None:
    order = list(range(len(images)))
    rng.shuffle(order)
    shuffled = recognise([images[i] for i in order])
    assert shuffled == [recognise(images)[i] for i in order]


@given(IMAGES)
def test_what_an_image_says_by_itself_holds_whatever_the_others_say(image: Evidence) -> None:
    (alone,), (among, *_) = recognise([image]), recognise([image, said("HV"), said(protocol="LK"), said("LK")])
    assert alone is None or (among and (among.view, among.source) == (alone.view, alone.source))


def test_every_weight_has_a_source() -> None:
    assert {one(said(declared=View.LIVER_KIDNEY)).source, one(said("LK")).source} == {
        ViewSource.SENDER,
        ViewSource.ATTRIBUTE,
    }
