"""When a screen is read, and what comes of it: readers are scripted."""

from collections.abc import Iterable

import numpy as np
import pytest

from app.adapters.reading.objects import Instructions, last_crop, read_crops, read_frame
from app.core.errors import InferenceFailed, NoTissue
from app.core.naming import DEFAULT_VIEW_RULES
from app.core.screens.values import ScreenPolicy
from app.core.values import ScreenNaming, ScreenPixels, TissueBox, View
from tests.factories import sector, us_instance
from tests.screens import ScriptedReader, phantom, written

RULES = DEFAULT_VIEW_RULES
LABELLED = us_instance(pixels=written(phantom(1), "HV", (12, 730), 20), photometric="RGB", view=None, regions=())
NAMED = us_instance(pixels=written(phantom(1), "HV", (12, 730), 20), photometric="RGB", regions=())
BLACK = us_instance(pixels=phantom(1) * 0, view=None, regions=())


class BrokenReader(ScriptedReader):
    def find(self, pixels: ScreenPixels) -> list[TissueBox]:
        raise InferenceFailed("x")


def reader() -> ScriptedReader:
    return ScriptedReader(["HV"] * 20, [TissueBox(20, 20, 60, 38)])


@pytest.mark.parametrize(
    ("policy", "content", "declared", "is_read"),
    [
        ("unnamed", LABELLED, False, True),
        ("unnamed", LABELLED, True, False),
        ("unnamed", NAMED, False, False),
        ("always", NAMED, True, True),
        ("never", LABELLED, False, False),
    ],
)
def test_the_policy_says_which_screens_are_read(policy: str, content: bytes, declared: bool, is_read: bool) -> None:
    asked = reader()
    crop = last_crop(content, Instructions(RULES, ScreenPolicy(policy)), asked, declared=declared)
    assert (crop.screen is not None) == is_read
    assert bool(asked.finds) == is_read


def test_the_screen_names_the_view() -> None:
    assert last_crop(LABELLED, Instructions(RULES), reader()).screen == ScreenNaming(View.HEPATIC_VEINS, alone=True)


def test_a_sites_rules_hold_for_its_screens() -> None:
    assert last_crop(LABELLED, Instructions(()), reader()).screen == ScreenNaming(None)


def test_a_crop_comes_before_its_screen_is_read() -> None:
    asked = reader()
    crops = read_crops(LABELLED, Instructions(RULES), asked)
    assert next(crops).screen is None
    assert not asked.finds
    assert next(crops).screen


def test_without_a_reader_there_is_one_crop() -> None:
    (crop,) = read_crops(LABELLED, Instructions(RULES), None)
    assert crop.screen is None


def test_a_screen_that_cannot_be_read_is_warned_of() -> None:
    crop = last_crop(LABELLED, Instructions(RULES), BrokenReader())
    assert crop.screen is None
    assert "screen_not_read" in [warning.code for warning in crop.warnings]


def test_an_image_that_is_refused_is_not_read() -> None:
    asked = reader()
    with pytest.raises(Exception, match="tissue"):
        last_crop(BLACK, Instructions(RULES), asked)
    assert not asked.finds


def cine(*lit: int, frames: int = 21, representative: int | None = None) -> bytes:
    """A cine of which only some frames, counted from 1, show tissue."""
    pixels = np.zeros((frames, 480, 640), np.uint8)
    for number in lit:
        pixels[number - 1] = sector(seed=number)
    attributes = {"RepresentativeFrameNumber": representative} if representative else {}
    return us_instance(pixels=pixels, frames=frames, attributes=attributes)


class TestCines:
    @pytest.mark.parametrize(
        ("lit", "used"), [((11,), 11), ((10, 12), 12), ((9,), 9), ((3, 15), 15), ((1, 2, 3), 3), (range(1, 22), 11)]
    )
    def test_a_frame_without_tissue_gives_way_to_its_neighbours(self, lit: Iterable[int], used: int) -> None:
        _, crop = read_frame(cine(*lit))
        assert crop.frame_number == used
        assert [w.detail for w in crop.warnings if w.code == "multi_frame"] == [f"Frame {used} of 21 was used."]

    def test_the_representative_frame_comes_first(self) -> None:
        assert read_frame(cine(2, 11, representative=2))[1].frame_number == 2
        assert read_frame(cine(5, 11, representative=3))[1].frame_number == 5

    def test_a_cine_without_tissue_is_refused_as_its_first_choice_was(self) -> None:
        with pytest.raises(NoTissue, match="shows no tissue"):
            read_frame(cine())
