"""One object, from its bytes to a crop: at once, and then again where its screen had to be read."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.adapters.dicom import read_instance
from app.core.errors import InferenceFailed
from app.core.naming import DEFAULT_VIEW_RULES, ViewRule
from app.core.pipeline import crop_instance
from app.core.screens.looking import Look, cleaned, look, read_screen, unread
from app.core.screens.values import ScreenPolicy, TextReader
from app.core.values import Crop, DicomInstance
from app.core.views import recognise_view


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
    instance = read_instance(content)
    crop = crop_instance(instance)
    seen = look(instance.pixels, crop.tissue)
    first = cleaned(crop, instance.pixels, seen, None)
    yield first
    is_named = declared or recognise_view(crop.view_texts, instructions.rules) is not None
    wanted = _is_wanted(instructions.screens, is_named=is_named)
    if reader and (wanted or seen.places):
        try:
            yield _second(crop, instance, seen, reader, instructions.rules if wanted else None)
        except (InferenceFailed, MemoryError):
            yield unread(first)


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
