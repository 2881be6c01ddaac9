"""Augmented rows of one image: lateral shifts before the crop, and reflections."""

import zlib
from dataclasses import dataclass

import numpy as np

from app.core.values import GreyImage, View
from training.protocol import StudyProtocol


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One row: the tissue box moves right by `shift_pixels` of the screen, then the crop may be mirrored."""

    shift_pixels: int = 0
    reflected: bool = False


def draw_augmentations(protocol: StudyProtocol, participant_id: str, view: View, number: int = 1) -> list[Augmentation]:
    """Draw an image's rows; they depend on the seed, the participant's name and the view, not on the cohort's order.

    Parameters
    ----------
    protocol : StudyProtocol
    participant_id : str
    view : View
    number : int
        Of the image among the participant's of this view, from 1.

    Returns
    -------
    list of Augmentation
        `protocol.n_rows` of them: the image as it is, then shifts drawn evenly from ``[-max, max]``, every second
        one reflected.
    """
    name = zlib.crc32(f"{participant_id}/{view}".encode())
    rng = np.random.default_rng([protocol.seed, name, number] if number > 1 else [protocol.seed, name])
    limit = protocol.max_shift_pixels
    shifts = rng.integers(-limit, limit, endpoint=True, size=protocol.n_rows - 1)
    drawn = [Augmentation(int(shift), protocol.reflect and k % 2 == 0) for k, shift in enumerate(shifts)]
    return [Augmentation(), *drawn]


def augment(tissue: GreyImage, augmentation: Augmentation) -> GreyImage:
    """Crop as if the tissue box stood elsewhere on the screen, then mirror.

    Parameters
    ----------
    tissue : ndarray of uint8, shape (rows, columns)
        Grey levels inside the tissue box; what lies outside the sector is 0.
    augmentation : Augmentation

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
        The box keeps its size. Columns that it gains show the screen around the tissue with everything that is not
        tissue removed, which is black; so moving the box over the screen equals moving the crop's columns.

    References
    ----------
    .. [1] Byra et al., J Ultrasound Med 2021, "Model Development": shifts up to 20 pixels in the lateral direction
       before image cropping; images reflected horizontally.
    """
    moved = _shifted(tissue, augmentation.shift_pixels)
    return np.ascontiguousarray(moved[:, ::-1]) if augmentation.reflected else moved


def _shifted(tissue: GreyImage, pixels: int) -> GreyImage:
    """Move the box right: its content moves left, and black comes in."""
    moved = np.zeros_like(tissue)
    width = tissue.shape[1]
    pixels = int(np.clip(pixels, -width, width))
    moved[:, max(0, -pixels) : width - max(0, pixels)] = tissue[:, max(0, pixels) : width - max(0, -pixels)]
    return moved
