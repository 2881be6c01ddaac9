from itertools import permutations

from app.core.choice import ChoiceReason, ReceivedImage, ShownView, choose_images
from app.core.evidence import Recognition, Weight
from app.core.studies import obstacle
from app.core.values import ImageKey, Origin, TissueBox, View


def image(
    uid: str,
    view: View = View.LIVER_KIDNEY,
    taken_at: str = "",
    number: int | None = None,
    tissue: str | None = None,
    *,
    alone: bool = True,
    weight: Weight = Weight.IMAGE,
) -> ShownView:
    key = ImageKey("1.2", uid, 1, TissueBox(0, 0, 9, 9), tissue or uid)
    return ShownView(
        ReceivedImage(key, Origin(taken_at=taken_at, instance_number=number)), Recognition(view, alone, weight)
    )


class TestChooseImages:
    def test_one_image_stands_for_its_view(self) -> None:
        choice = choose_images([image("1.1")])[View.LIVER_KIDNEY]
        assert (choice.image.key.sop_instance_uid, choice.reason) == ("1.1", ChoiceReason.ONLY_IMAGE)

    def test_the_last_taken_stands_whatever_its_number(self) -> None:
        early, late = image("1.9", taken_at="20240101120000", number=9), image("1.1", taken_at="20240101120000.5")
        choice = choose_images([late, early])[View.LIVER_KIDNEY]
        assert (choice.image, choice.reason) == (late.image, ChoiceReason.TAKEN_LAST)

    def test_a_time_counts_for_more_than_none(self) -> None:
        timeless, early = image("1.9", number=9), image("1.1", taken_at="1999")
        assert choose_images([timeless, early])[View.LIVER_KIDNEY].image == early.image

    def test_of_the_same_time_the_highest_number(self) -> None:
        images = [image("1.9"), image("1.8", number=0), image("1.7", number=10), image("1.6", number=9)]
        choice = choose_images(images)[View.LIVER_KIDNEY]
        assert (choice.image.origin.instance_number, choice.reason) == (10, ChoiceReason.HIGHEST_INSTANCE_NUMBER)

    def test_of_the_same_number_the_greatest_uid(self) -> None:
        choice = choose_images([image("1.1", number=1), image("1.2", number=1)])[View.LIVER_KIDNEY]
        assert choice.image.key.sop_instance_uid == "1.2"
        assert choice.reason == ChoiceReason.GREATEST_SOP_INSTANCE_UID

    def test_their_order_does_not_matter(self) -> None:
        images = [image("1.1", taken_at="2"), image("1.2", taken_at="1"), image("1.3", number=3), image("1.4")]
        chosen = {choose_images(order)[View.LIVER_KIDNEY].image for order in permutations(images)}
        assert chosen == {images[0].image}

    def test_the_better_named_stands_however_early_it_was_taken_and_the_other_is_remarked(self) -> None:
        named, late = image("1.1", taken_at="1"), image("1.9", taken_at="2", number=9, alone=False)
        choice = choose_images([late, named])[View.LIVER_KIDNEY]
        assert (choice.image, choice.reason) == (named.image, ChoiceReason.BETTER_NAMED)
        assert [each.code for each in choice.remarks] == ["other_image_not_used"]

    def test_of_images_named_alike_none_is_remarked(self) -> None:
        assert choose_images([image("1.1", taken_at="1"), image("1.2", taken_at="2")])[View.LIVER_KIDNEY].remarks == ()

    def test_a_name_alone_counts_before_where_it_stands(self) -> None:
        best_first = [
            image("1.1"),
            image("1.2", weight=Weight.SCREEN),
            image("1.3", weight=Weight.EXAMINATION),
            image("1.4", alone=False),
            image("1.5", alone=False, weight=Weight.SCREEN),
        ]
        for position, best in enumerate(best_first):
            assert choose_images(best_first[position:])[View.LIVER_KIDNEY].image == best.image

    def test_views_come_in_their_order(self) -> None:
        assert list(choose_images([image(view, view) for view in reversed(View)])) == list(View)


class TestObstacle:
    def test_missing_views_are_named(self) -> None:
        found = obstacle(choose_images([image("1.1")]))
        assert found
        assert found.code == "incomplete_study"
        assert View.HEPATIC_VEINS in found.detail
        assert View.LIVER_KIDNEY not in found.detail

    def test_one_picture_for_two_views_is_no_study(self) -> None:
        images = [image(view, view, tissue="same" if view in list(View)[1:3] else None) for view in View]
        found = obstacle(choose_images(images))
        assert found
        assert found.code == "duplicate_instance"

    def test_four_pictures_are_a_study(self) -> None:
        assert obstacle(choose_images([image(view, view) for view in View])) is None
