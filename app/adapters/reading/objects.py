"""One object, from its bytes to a crop: at once, and then again where its screen had to be read."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from app.adapters.dicom import read_instance
from app.core.errors import DicomError, ImageError, InferenceFailed, NoTissue
from app.core.evidence import name_by_texts
from app.core.naming import DEFAULT_VIEW_RULES, ViewRule
from app.core.pipeline import crop_instance
from app.core.screens.looking import Look, cleaned, look, read_screen, unread
from app.core.screens.values import ScreenPolicy, TextReader
from app.core.tissue.pictures import without_idle_colour
from app.core.values import Crop, DicomInstance

DISTANCES: Final = (1, 2, 4, 8, 16)
"""Frames from the one that represents a cine, tried when that shows no tissue: a freeze or a probe lifted off."""


@dataclass(frozen=True, slots=True)
class Instructions:
    """What a site wants read; it travels to the reading processes.

    Attributes
    ----------
    rules : tuple of ViewRule
    screens : ScreenPolicy
    """

    rules: tuple[ViewRule, ...] = DEFAULT_VIEW_RULES
    screens: ScreenPolicy = ScreenPolicy.UNNAMED


def read_crops(
    content: bytes, instructions: Instructions, reader: TextReader | None, *, declared: bool = False
) -> Iterator[Crop]:
    """Read and crop one object.

    Parameters
    ----------
    content : bytes
    instructions : Instructions
    reader : TextReader or None
        None: screens are not read, and what may be letters in the tissue is taken for them.
    declared : bool
        Whether the sender named the view.

    Yields
    ------
    Crop
        One that may be kept: it holds no letters. Where the screen had to be read to find them or the view, a better
        one follows; reading it takes a hundred times as long, so the first is there should that fail.

    Raises
    ------
    DicomError
        Whatever `app.adapters.dicom.read_instance` refuses.
    ImageError
        Whatever `crop_instance` refuses.
    """
    instance, crop = read_frame(content)
    seen = look(instance.pixels, crop.tissue)
    first = cleaned(crop, instance.pixels, seen, None)
    yield first
    is_named = declared or name_by_texts(crop.view_texts.image, instructions.rules) is not None
    wanted = _is_wanted(instructions.screens, is_named=is_named)
    if reader and (wanted or seen.places):
        try:
            yield _second(crop, instance, seen, reader, instructions.rules if wanted else None)
        except (InferenceFailed, MemoryError):
            yield unread(first)


def read_frame(content: bytes) -> tuple[DicomInstance, Crop]:
    """Read the frame that represents an object, or the nearest one that shows tissue, and crop it.

    Raises
    ------
    DicomError
        Whatever `app.adapters.dicom.read_instance` refuses.
    ImageError
        Whatever `crop_instance` refuses of the frame that represents the object.
    """
    instance = _read(content)
    try:
        return instance, crop_instance(instance)
    except NoTissue as refusal:
        found = _neighbour(content, instance)
        if found is None:
            raise refusal from None
        return found


def _neighbour(content: bytes, empty: DicomInstance) -> tuple[DicomInstance, Crop] | None:
    """Try frames ever farther away from one without tissue, on both sides."""
    numbers = (empty.frame_number + side * distance for distance in DISTANCES for side in (1, -1))
    for number in (number for number in numbers if 0 < number <= empty.number_of_frames):
        with suppress(ImageError, DicomError):  # a damaged frame is passed over like an empty one
            instance = _read(content, number)
            return instance, crop_instance(instance)
    return None


def _read(content: bytes, frame_number: int | None = None) -> DicomInstance:
    """Read one frame, and leave out colour that it does not have: every step from here takes less time."""
    instance = read_instance(content, frame_number=frame_number)
    return replace(instance, pixels=without_idle_colour(instance.pixels))


def last_crop(content: bytes, instructions: Instructions, reader: TextReader | None, *, declared: bool = False) -> Crop:
    """Read and crop one object; see `read_crops`."""
    *_, crop = read_crops(content, instructions, reader, declared=declared)
    return crop


def _second(
    crop: Crop, instance: DicomInstance, seen: Look, reader: TextReader, rules: tuple[ViewRule, ...] | None
) -> Crop:
    clean = cleaned(crop, instance.pixels, seen, reader)
    return clean if rules is None else replace(clean, screen=read_screen(instance.pixels, crop.tissue, reader, rules))


def _is_wanted(policy: ScreenPolicy, *, is_named: bool) -> bool:
    return policy is ScreenPolicy.ALWAYS or (policy is ScreenPolicy.UNNAMED and not is_named)
