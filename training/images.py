"""One image file of a cohort -> its tissue, by the service's own reader and crop: DICOM, PNG or JPEG."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from app.adapters.reading.objects import Instructions, last_crop
from app.adapters.screens.text_reader import text_reader
from app.core.errors import AnalysisError
from app.core.screens.looking import cleaned, look
from app.core.screens.values import ScreenPolicy
from app.core.tissue import extract_tissue
from app.core.values import Crop, GreyImage, ScreenPixels

_PICTURES = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}
"""First bytes of the pictures that are read."""
_GREY_MODES, _COLOUR_MODES = ("L", "LA", "1"), ("RGB", "RGBA", "P")


def read_tissue(path: Path) -> GreyImage:
    """Read one image's tissue crop.

    Parameters
    ----------
    path : Path
        A picture is cropped as a DICOM image without ultrasound regions is: to the sector, or the rectangle of a
        linear probe, on a dark screen.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)

    Raises
    ------
    ValueError
        Naming the file, if it cannot be used.
    """
    content = path.read_bytes()
    try:
        if kind := next((kind for start, kind in _PICTURES.items() if content.startswith(start)), None):
            return _cleaned_tissue(_read_picture(content, kind))
        return last_crop(content, Instructions(screens=ScreenPolicy.NEVER), text_reader()).tissue.pixels
    except AnalysisError as error:
        raise ValueError(f"{path}: {error.detail}") from error
    except _UnusablePicture as error:
        raise ValueError(f"{path}: {error}") from error


def _cleaned_tissue(pixels: ScreenPixels) -> GreyImage:
    """Crop a picture, and fill the letters in its tissue as the service does."""
    tissue = extract_tissue(pixels)
    crop = Crop(sop_instance_uid="", study_instance_uid="", frame_number=1, decoder="", tissue=tissue)
    return cleaned(crop, pixels, look(pixels, tissue), text_reader()).tissue.pixels


class _UnusablePicture(Exception):
    """A picture that cannot be read as grey levels or colours of a screen."""


def _read_picture(content: bytes, kind: str) -> ScreenPixels:
    """Decode a picture, shape (rows, columns) or (rows, columns, 3)."""
    try:
        with Image.open(BytesIO(content), formats=[kind]) as picture:
            if picture.mode not in (*_GREY_MODES, *_COLOUR_MODES):
                raise _UnusablePicture(f"a {kind} of mode {picture.mode} is not read: save it as 8-bit grey or RGB")
            if picture.has_transparency_data and np.asarray(picture.convert("RGBA"))[..., 3].min() < 255:
                raise _UnusablePicture("the picture is transparent in places: save it without")
            return np.asarray(picture.convert("L" if picture.mode in _GREY_MODES else "RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise _UnusablePicture(f"the {kind} is damaged: export it again") from error
