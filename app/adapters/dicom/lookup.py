"""Look-up tables: Modality, VOI and palette (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5) share one layout.

A table is read only if its length is exactly what its descriptor promises, and its entries fit the promised bits: a
table of half the length looks like one of bytes, and would show another picture (decision 23).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.adapters.dicom.attributes import Attributes, quoted
from app.core.errors import UndecodablePixels

_EXPORT: Final = "Export the object again from its source."


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


class Descriptor(NamedTuple):
    """The three values of a descriptor (PS3.3 C.7.6.3.1.5, C.11.1.1.1, C.11.2.1.1).

    Attributes
    ----------
    keyword : str
        Of the attribute.
    size : int
        Number of entries, 1 to 65,536.
    first_mapped : int
    bits : int
        Of an entry.
    """

    keyword: str
    size: int
    first_mapped: int
    bits: int

    @property
    def promise(self) -> str:
        """Say how many bytes the table must have."""
        lengths = " or ".join(
            map(str, sorted({_packed(self.size), 2 * self.size} if self.bits == 8 else {2 * self.size}))
        )
        return f"{quoted(self.keyword)} promises {self.size} entries of {self.bits} bits, which take {lengths}"


def read_table_item(
    attributes: Attributes, sequence: str, inputs: tuple[int, int], *, is_signed: bool = False
) -> LookupTable | None:
    """Read the table in a sequence's first item; None if there is no item.

    Parameters
    ----------
    attributes : Attributes
    sequence : str
        Keyword.
    inputs : tuple of int
        Lowest and highest value that is looked up.
    is_signed : bool
        Whether the first mapped value is a signed number.

    Raises
    ------
    UndecodablePixels
        If the sequence or the table is damaged.
    """
    item = attributes.first_item(sequence)
    if item is None:
        return None
    if not has_descriptor(item, "LUTDescriptor"):
        raise contradiction(f"{quoted('LUTDescriptor')} in {quoted(sequence)} must have three values")
    descriptor = read_descriptor(item, "LUTDescriptor", range(8, 17), is_signed=is_signed)
    check_reach(descriptor, inputs)
    entries = unpacked({"LUTData": item.raw("LUTData")}, descriptor)["LUTData"]
    return LookupTable(descriptor.first_mapped, entries, descriptor.bits)


def has_descriptor(attributes: Attributes, keyword: str) -> bool:
    """Tell whether there is a descriptor of three words."""
    return len(attributes.raw(keyword)) == 6


def read_descriptor(
    attributes: Attributes, keyword: str, allowed_bits: range | tuple[int, ...], *, is_signed: bool = False
) -> Descriptor:
    """Read number of entries (0 means 65,536), first mapped input, bits of an entry.

    The standard ties the sign of the first mapped input to what is looked up (PS3.3 C.7.6.3.1.5), not to the value
    representation, which is missing from implicit syntaxes and wrong in some objects.
    """
    size, first, bits = struct.unpack("<HhH" if is_signed else "<HHH", attributes.raw(keyword))
    if bits not in allowed_bits:
        allowed = f"{min(allowed_bits)} {'to' if len(allowed_bits) > 2 else 'or'} {max(allowed_bits)}"
        raise contradiction(f"{quoted(keyword)} must ask for {allowed} bits per entry")
    return Descriptor(keyword, size or 65_536, first, bits)


def check_reach(descriptor: Descriptor, inputs: tuple[int, int]) -> None:
    """Refuse a table whose inputs never occur: every pixel would take the same end of it."""
    lowest, highest = inputs
    if not (descriptor.first_mapped <= highest and lowest < descriptor.first_mapped + descriptor.size):
        raise contradiction(
            f"the inputs that {quoted(descriptor.keyword)} maps ({descriptor.first_mapped} and above) lie outside of "
            f"what is looked up ({lowest} to {highest})"
        )


def unpacked(written: Mapping[str, bytes], descriptor: Descriptor) -> dict[str, NDArray[np.uint16]]:
    """Unpack the entries of tables of one descriptor, which a writer lays out in the same way.

    Entries of more than 8 bits stand in words. Those of 8 bits stand in bytes, padded to an even length, or, as some
    systems write them, in words: in the low bytes or in the high bytes.

    Parameters
    ----------
    written : mapping of str to bytes
        Keyword to value, little endian.
    descriptor : Descriptor

    Returns
    -------
    dict of str to ndarray of uint16, shape (descriptor.size,)

    Raises
    ------
    UndecodablePixels
    """
    for keyword, data in written.items():
        allowed = {2 * descriptor.size}
        if descriptor.bits == 8:
            allowed |= {descriptor.size, _packed(descriptor.size)}
        if len(data) not in allowed:
            raise _wrong_length(keyword, data, descriptor)
    are_words = {len(data) == 2 * descriptor.size for data in written.values()}
    if len(are_words) > 1:  # half of one is lost, or it was written twice
        lengths = ", ".join(f"{quoted(keyword)} has {len(data)} bytes" for keyword, data in written.items())
        raise contradiction(f"{lengths}; {descriptor.promise}, in all three alike")
    if are_words == {False}:
        return {keyword: _bytes(keyword, data, descriptor) for keyword, data in written.items()}
    words = {keyword: np.frombuffer(data, "<u2").astype(np.uint16) for keyword, data in written.items()}
    return _bytes_of_words(words, descriptor) if descriptor.bits == 8 else _fitting(words, descriptor)


def contradiction(what: str) -> UndecodablePixels:
    """Make the refusal of a table; `what` says which and why."""
    return UndecodablePixels(f"A look-up table cannot be used: {what}. {_EXPORT}")


def _packed(size: int) -> int:
    """Count the bytes of 8-bit entries, padded to an even length."""
    return size + size % 2


def _wrong_length(keyword: str, data: bytes, descriptor: Descriptor) -> UndecodablePixels:
    return contradiction(f"{quoted(keyword)} has {len(data)} bytes, but {descriptor.promise}")


def _bytes(keyword: str, data: bytes, descriptor: Descriptor) -> NDArray[np.uint16]:
    """Read one entry in each byte, unless the value is a table of words cut in half, or one entry longer."""
    entries = np.frombuffer(data, np.uint8)
    # every other byte, and no other, is zero
    is_half = len(entries) > 2 and bool(entries[::2].any()) != bool(entries[1::2].any())
    if is_half or entries[descriptor.size :].any():
        raise _wrong_length(keyword, data, descriptor)
    return entries[: descriptor.size].astype(np.uint16)


def _bytes_of_words(words: Mapping[str, NDArray[np.uint16]], descriptor: Descriptor) -> dict[str, NDArray[np.uint16]]:
    together = np.concatenate(list(words.values()))
    low, high = together & 0xFF, together >> 8
    if not high.any():
        return dict(words)
    if not low.any() or np.array_equal(low, high):
        return {keyword: (entries >> 8).astype(np.uint16) for keyword, entries in words.items()}
    raise _too_large(words, descriptor)


def _fitting(words: Mapping[str, NDArray[np.uint16]], descriptor: Descriptor) -> dict[str, NDArray[np.uint16]]:
    if max(int(entries.max()) for entries in words.values()) >> descriptor.bits:
        raise _too_large(words, descriptor)
    return dict(words)


def _too_large(words: Mapping[str, NDArray[np.uint16]], descriptor: Descriptor) -> UndecodablePixels:
    largest = max(words, key=lambda keyword: int(words[keyword].max()))
    return contradiction(
        f"{quoted(largest)} has entries of more bits than the {descriptor.bits} that "
        f"{quoted(descriptor.keyword)} promises"
    )
