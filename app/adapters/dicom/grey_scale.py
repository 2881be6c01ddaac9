"""From stored values to displayed grey levels: the modality transformation, then the VOI table or window."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.adapters.dicom.attributes import Attributes, quoted
from app.adapters.dicom.lookup import LookupTable, contradiction, read_table_item
from app.core.values import AnalysisWarning, Floats

LARGEST_GREY: Final = 1e12  # no grey level is larger; beyond it a slope or a window is damage, and would overflow


@dataclass(frozen=True, slots=True)
class Window:
    """(0028,1050) Window Center, (0028,1051) Window Width, (0028,1056) VOI LUT Function (PS3.3 C.11.2.1)."""

    center: float
    width: float
    function: str = "LINEAR"

    def __call__(self, x: Floats) -> Floats:
        """Map modality values to 0..1, by C.11.2.1.2.1 and C.11.2.1.3."""
        if self.function == "SIGMOID":
            exponent = np.clip(-4 * (x - self.center) / self.width, -700, 700)  # exp() overflows beyond
            return np.asarray(1 / (1 + np.exp(exponent)))
        if self.function == "LINEAR_EXACT":
            return np.asarray(np.clip((x - self.center) / self.width + 0.5, 0, 1))
        if self.width == 1:  # the formula's limit: a threshold
            return np.asarray(x > self.center - 0.5, np.float64)
        return np.asarray(np.clip((x - (self.center - 0.5)) / (self.width - 1) + 0.5, 0, 1))

    @property
    def is_usable(self) -> bool:
        """Whether the standard allows this window."""
        least = {"LINEAR": 1.0, "LINEAR_EXACT": 1e-9, "SIGMOID": 1e-9}.get(self.function, np.inf)
        return abs(self.center) <= LARGEST_GREY and least <= self.width <= LARGEST_GREY


Modality = LookupTable | tuple[float, float]
"""Modality LUT Sequence (0028,3000), or Rescale Slope (0028,1053) and Intercept (0028,1052)."""
Voi = LookupTable | Window | None
"""VOI LUT Sequence (0028,3010), or the window."""


def read_modality(attributes: Attributes, bits_stored: int) -> Modality:
    """Take the Modality LUT, else slope and intercept (PS3.3 C.11.1), else what changes nothing."""
    table = read_table_item(attributes, "ModalityLUTSequence", (0, (1 << bits_stored) - 1))
    if table is not None:
        return table
    slope, intercept = attributes.number("RescaleSlope"), attributes.number("RescaleIntercept")
    if slope is None or intercept is None:
        return 1.0, 0.0
    is_usable = slope != 0 and abs(slope) <= LARGEST_GREY and abs(intercept) <= LARGEST_GREY
    return (slope, intercept) if is_usable else (1.0, 0.0)


def read_voi(attributes: Attributes, bits_stored: int, modality: Modality) -> tuple[Voi, tuple[AnalysisWarning, ...]]:
    """Take the first VOI LUT, else the first window (PS3.3 C.11.2); a window that the standard forbids is ignored."""
    table = _read_voi_table(attributes, bits_stored, modality)
    center, width = attributes.number("WindowCenter"), attributes.number("WindowWidth")
    if table is not None or center is None or width is None:
        return table, ()
    window = Window(center, width, attributes.text("VOILUTFunction") or "LINEAR")
    if window.is_usable:
        return window, ()
    detail = "(0028,1051) Window Width or (0028,1056) VOI LUT Function is not valid; the window was ignored."
    return None, (AnalysisWarning("window_ignored", detail),)


def _read_voi_table(attributes: Attributes, bits_stored: int, modality: Modality) -> LookupTable | None:
    values = _modality_values(np.arange(1 << bits_stored), modality)
    inputs = int(values.min()), int(values.max())
    is_signed = inputs[0] < 0 or _is_written_signed(attributes)
    table = read_table_item(attributes, "VOILUTSequence", inputs, is_signed=is_signed)
    return table and _spanning(table)


def _is_written_signed(attributes: Attributes) -> bool:
    item = attributes.first_item("VOILUTSequence")
    return item is not None and item.vr("LUTDescriptor") == "SS"


def _spanning(table: LookupTable) -> LookupTable:
    """Take entries for 8-bit ones, whatever the descriptor says, where the picture would be black otherwise."""
    largest = int(table.entries.max())
    if largest < 256:
        return replace(table, bits=8)
    if not largest >> (table.bits - 1):
        raise contradiction(
            f"{quoted('LUTDescriptor')} promises {table.bits} bits, but the entries of {quoted('LUTData')} have fewer"
        )
    return table


def grey_scale(bits_stored: int, modality: Modality, voi: Voi) -> NDArray[np.uint8]:
    """Work out the displayed grey level of every value that can be stored (PS3.3 C.11.1, C.11.2; PS3.4 N.2).

    The modality transformation first; then the VOI table or window; without one, the whole range that the stored
    bits span becomes 0..255. 8-bit samples without any of them stay as they are.

    Parameters
    ----------
    bits_stored : int
    modality : LookupTable or tuple of float
        Table, or slope and intercept.
    voi : LookupTable, Window or None

    Returns
    -------
    ndarray of uint8, shape (2 ** bits_stored,)
    """
    values = _modality_values(np.arange(1 << bits_stored), modality)
    if isinstance(voi, LookupTable):
        share = voi(values) / ((1 << voi.bits) - 1)
    else:
        share = voi(values) if voi else _whole_range(values)
    return np.floor(np.clip(share, 0, 1) * 255 + 0.5).astype(np.uint8)


def _modality_values(stored: NDArray[np.int64], modality: Modality) -> Floats:
    if isinstance(modality, LookupTable):
        return modality(stored).astype(np.float64)
    slope, intercept = modality
    return np.asarray(stored * slope + intercept, np.float64)


def _whole_range(values: Floats) -> Floats:
    lowest, highest = float(values.min()), float(values.max())
    return (values - lowest) / max(highest - lowest, 1e-12)
