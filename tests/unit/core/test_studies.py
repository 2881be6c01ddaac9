from itertools import permutations

from app.core.studies import ChoiceReason, ReceivedImage, choose_images, obstacle
from app.core.values import ImageKey, TissueBox, View


def image(
    uid: str, view: View = View.LIVER_KIDNEY, taken_at: str = "", number: int | None = None, tissue: str | None = None
) -> ReceivedImage:
    return ReceivedImage(view, ImageKey("1.2", uid, 1, TissueBox(0, 0, 9, 9), tissue or uid), taken_at, number)


class TestChooseImages:
    def test_one_image_stands_for_its_view(self) -> None:
        choice = choose_images([image("1.1")])[View.LIVER_KIDNEY]
        assert (choice.image.key.sop_instance_uid, choice.reason) == ("1.1", ChoiceReason.ONLY_IMAGE)

    def test_the_last_taken_stands_whatever_its_number(self) -> None:
        early, late = image("1.9", taken_at="20240101120000", number=9), image("1.1", taken_at="20240101120000.5")
        choice = choose_images([late, early])[View.LIVER_KIDNEY]
        assert (choice.image, choice.reason) == (late, ChoiceReason.TAKEN_LAST)

    def test_a_time_counts_for_more_than_none(self) -> None:
        timeless, early = image("1.9", number=9), image("1.1", taken_at="1999")
        assert choose_images([timeless, early])[View.LIVER_KIDNEY].image == early

    def test_of_the_same_time_the_highest_number(self) -> None:
        images = [image("1.9"), image("1.8", number=0), image("1.7", number=10), image("1.6", number=9)]
        choice = choose_images(images)[View.LIVER_KIDNEY]
        assert (choice.image.instance_number, choice.reason) == (10, ChoiceReason.HIGHEST_INSTANCE_NUMBER)

    def test_of_the_same_number_the_greatest_uid(self) -> None:
        choice = choose_images([image("1.1", number=1), image("1.2", number=1)])[View.LIVER_KIDNEY]
        assert choice.image.key.sop_instance_uid == "1.2"
        assert choice.reason == ChoiceReason.GREATEST_SOP_INSTANCE_UID

    def test_their_order_does_not_matter(self) -> None:
        images = [image("1.1", taken_at="2"), image("1.2", taken_at="1"), image("1.3", number=3), image("1.4")]
        chosen = {choose_images(order)[View.LIVER_KIDNEY].image for order in permutations(images)}
        assert chosen == {images[0]}

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
