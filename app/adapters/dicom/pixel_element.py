"""Where (7FE0,0010) Pixel Data stands in a file, and the bytes of its value."""

from dataclasses import dataclass
from typing import Final

from app.adapters.dicom.transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN, swap_words
from app.core.errors import UndecodablePixels
from app.core.values import Content

UNDEFINED_LENGTH: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, eq=False)
class PixelElement:
    """The pixel data of a file, found and not yet read.

    Attributes
    ----------
    data : bytes
        The whole file.
    transfer_syntax_uid : str
    vr : str or None
        As written; None where the syntax is implicit.
    length : int
        As claimed; `UNDEFINED_LENGTH` for encapsulated data.
    start : int
        Offset of the first byte of the value.
    """

    data: bytes
    transfer_syntax_uid: str
    vr: str | None
    length: int
    start: int

    @property
    def is_encapsulated(self) -> bool:
        """Whether the value is a sequence of fragments (PS3.5 A.4)."""
        return self.length == UNDEFINED_LENGTH

    @property
    def is_word_swapped(self) -> bool:
        """Whether the value is big endian 16-bit words (PS3.5 8.1.1), two 8-bit samples in each."""
        return self.transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN and self.vr != "OB"

    def cut(self, at: int, size: int) -> Content:
        """Slice a native value, little endian; of big endian words, whole words are swapped first.

        Other values are not copied: copying them took a quarter of the time of reading an object.
        """
        start, end = self.start + at, self.start + at + size
        if not self.is_word_swapped:
            return memoryview(self.data)[start:end]
        words = self.data[start - at % 2 : end + (at + size) % 2]
        return swap_words(words)[at % 2 : at % 2 + size]


def cut_short() -> UndecodablePixels:
    """Make the refusal of a file that ends too early."""
    return UndecodablePixels("The object is cut short: send the whole file again.")
