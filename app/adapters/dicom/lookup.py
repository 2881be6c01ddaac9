"""Look-up tables: Modality, VOI and palette (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5) share one layout."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.adapters.dicom.attributes import Attributes, quoted
from app.core.errors import UndecodablePixels


@dataclass(frozen=True, slots=True, eq=False)
class LookupTable:
    """A function of whole numbers, as a table.

    Attributes
    ----------
    first_mapped : int
        Input that maps to the first entry; lower ones do too.
    entries : ndarray of uint16
    bits : int
        Of one entry.
    """

    first_mapped: int
    entries: NDArray[np.uint16]
    bits: int

    def __call__(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        """Look values up; what lies outside takes the nearest end of the table."""
        index = np.clip(values.astype(np.int64) - self.first_mapped, 0, len(self.entries) - 1)
        return self.entries[index]


def read_table_item(attributes: Attributes, sequence: str) -> LookupTable | None:
    """Read the table in a sequence's first item."""
    items = attributes.items(sequence)
    return read_table(items[0], "LUTDescriptor", "LUTData") if items else None


def read_table(attributes: Attributes, descriptor: str, data: str) -> LookupTable | None:
    """Read a table from the attributes that hold its descriptor and its data; None without either."""
    written = attributes.raw(data)
    if not has_descriptor(attributes, descriptor) or not written:
        return None
    size, first, bits = read_descriptor(attributes, descriptor)
    return LookupTable(first, _entries(written, size), bits)


def has_descriptor(attributes: Attributes, keyword: str) -> bool:
    """Tell whether there is a descriptor of three words."""
    return len(attributes.raw(keyword)) == 6


def read_descriptor(attributes: Attributes, keyword: str) -> tuple[int, int, int]:
    """Read number of entries (0 means 65,536), first mapped input, bits of an entry (PS3.3 C.7.6.3.1.5)."""
    words = "<HhH" if attributes.vr(keyword) == "SS" else "<HHH"
    size, first, bits = struct.unpack(words, attributes.raw(keyword))
    if bits not in range(8, 17):
        raise UndecodablePixels(f"{quoted(keyword)} must ask for 8 to 16 bits per entry.")
    return size or 65_536, first, bits


def _entries(data: bytes, size: int) -> NDArray[np.uint16]:
    """Unpack entries: one in each word, or, where there is room for no more, one in each byte."""
    if len(data) >= 2 * size:
        return np.frombuffer(data, "<u2", count=size).astype(np.uint16)
    if len(data) >= size:
        return np.frombuffer(data, np.uint8, count=size).astype(np.uint16)
    raise UndecodablePixels("A look-up table has fewer entries than its descriptor says.")
