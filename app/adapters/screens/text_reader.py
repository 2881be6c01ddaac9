"""rapidocr's only door: PP-OCRv6's two networks, which its wheel brings as ONNX files; none of its code runs.

The code around them is written anew, for upright lines and one at a time: it downloads, logs and writes nothing, needs
neither OpenCV nor shapely, and holds no more memory than the line that it reads. Both networks cost in proportion to
the pixels that they see, so nothing is won by batches.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.adapters.bundle.onnx_networks import PlainNetwork
from app.core.screens.values import Reading
from app.core.tissue.geometry import Mask, area, bounds, cut, intersection, size, whole
from app.core.tissue.morphology import components
from app.core.tissue.pictures import to_image
from app.core.values import GreyImage, ScreenPixels, TissueBox

PACKAGE: Final = "rapidocr"
STRIDE: Final = 32
"""Pixels: the network that finds text takes multiples of it."""
MIN_PROBABILITY: Final = 0.3
"""Of a pixel: from there it belongs to text; rapidocr's own, as are the following three."""
MIN_MEAN_PROBABILITY: Final = 0.5
"""Of all pixels of a line."""
GROWTH: Final = 1.6
"""The network marks the core of a line: its box grows by so many times area over perimeter."""
MIN_CORE: Final = 3
"""Pixels: a smaller core is not a line of text."""
LINE_HEIGHT: Final = 48
"""Pixels: lines are read at this height."""
BLANK: Final = 0
"""The class that stands between characters (connectionist temporal classification)."""


def is_installed() -> bool:
    """Tell whether the extra `screen` is installed."""
    return find_spec(PACKAGE) is not None


@lru_cache(1)
def text_reader() -> "OnnxTextReader | None":
    """Return the process's reader; None without the extra `screen`."""
    return OnnxTextReader(_folder()) if is_installed() else None


def _folder() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(PACKAGE, name=PACKAGE)
    return Path(spec.submodule_search_locations[0]) / "models"


class OnnxTextReader:
    """Finds and reads upright text: Latin letters with accents, kana, Chinese characters; not Greek or Cyrillic.

    Parameters
    ----------
    folder : Path
        With one network that finds text, ``*_det_*.onnx``, and one that reads it, ``*_rec_*.onnx``.

    Raises
    ------
    BundleUnreadable
        If one is not an ONNX model that this runtime can load.
    """

    def __init__(self, folder: Path) -> None:
        self._finding, self._reading = (PlainNetwork(next(folder.glob(f"*_{kind}_*.onnx"))) for kind in ("det", "rec"))
        self._characters = ["", *self._reading.note("character").splitlines(), " "]

    def find(self, pixels: ScreenPixels) -> list[TissueBox]:
        """Find the lines of text.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)

        Returns
        -------
        list of TissueBox
            Around each line's letters.

        Raises
        ------
        InferenceFailed
        """
        probability = self._finding(_tensor(_padded(pixels)))[0, 0]
        cores = components(probability > MIN_PROBABILITY, 0)
        grown = (_grown(bounds(core)) for core in cores if _is_line(core, probability))
        boxes = (intersection(box, whole(pixels)) for box in grown)
        return [box for box in boxes if area(box)]  # the network may see letters in what was repeated at the edges

    def read(self, pixels: ScreenPixels) -> Reading:
        """Read one line, of which the pixels show nothing else.

        Raises
        ------
        InferenceFailed
        """
        return self._decoded(self._reading(_tensor(_scaled(pixels)))[0])

    def _decoded(self, probabilities: NDArray[np.float32]) -> Reading:
        """Take the likeliest character of every step, each run of one as one."""
        best = probabilities.argmax(axis=1)
        starts = np.diff(best, prepend=BLANK) != 0
        kept = starts & (best != BLANK)
        if not kept.any():
            return Reading("", 0.0)
        text = "".join(self._characters[k] for k in best[kept])
        return Reading(text, float(probabilities.max(axis=1)[kept].mean()))


def _tensor(pixels: GreyImage | ScreenPixels) -> NDArray[np.float32]:
    """Turn RGB or grey into a batch of one, blue first, -1 to 1."""
    colours = pixels[..., ::-1] if pixels.ndim == 3 else np.repeat(pixels[..., np.newaxis], 3, axis=2)
    return np.ascontiguousarray(colours.transpose(2, 0, 1)[np.newaxis], np.float32) / np.float32(127.5) - 1


def _padded(pixels: ScreenPixels) -> ScreenPixels:
    """Repeat the lowest row and the last column until both sides are multiples of `STRIDE`."""
    missing = [(0, -side % STRIDE) for side in pixels.shape[:2]]
    return np.pad(pixels, [*missing, (0, 0)][: pixels.ndim], mode="edge")


def _scaled(pixels: ScreenPixels) -> ScreenPixels:
    height, width = pixels.shape[:2]
    image = to_image(pixels)
    return np.asarray(image.resize((max(LINE_HEIGHT // 3, round(width * LINE_HEIGHT / height)), LINE_HEIGHT)))


def _is_line(core: Mask, probability: NDArray[np.float32]) -> bool:
    box = bounds(core)
    return min(size(box)) >= MIN_CORE and float(cut(probability, box)[cut(core, box)].mean()) >= MIN_MEAN_PROBABILITY


def _grown(box: TissueBox) -> TissueBox:
    """Undo how far the network shrinks lines (Liao et al. 2020, Real-time scene text detection, equation 10)."""
    width, height = size(box)
    reach = round(GROWTH * width * height / (2 * (width + height)))
    return TissueBox(box.x0 - reach, box.y0 - reach, box.x1 + reach, box.y1 + reach)
