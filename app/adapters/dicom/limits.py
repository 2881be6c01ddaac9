"""What an object may cost before it is refused."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds on the work and the memory that one object may ask for.

    Attributes
    ----------
    max_rows_columns : int
        Largest (0028,0010) Rows and (0028,0011) Columns.
    max_frames : int
        Largest (0028,0008) Number of Frames.
    max_fragments : int
        Most fragments of compressed pixel data.
    max_decoded_bytes : int
        Largest single decoded frame; no more than one is ever decoded.
    max_reads : int
        Budget of the parser: an object of millions of tiny elements ends here.
    max_value_bytes : int
        Largest single value that is kept, pixel data apart (a 16-bit lookup table has 131,072 bytes).
    max_regions : int
        Ultrasound regions beyond this are not read.
    max_text_length : int
        Characters kept of each view text.
    max_texts : int
        View texts beyond this are not read.
    """

    max_rows_columns: int = 8192
    max_frames: int = 20_000
    max_fragments: int = 200_000
    max_decoded_bytes: int = 32 * 1024 * 1024
    max_reads: int = 200_000
    max_value_bytes: int = 1024 * 1024
    max_regions: int = 64
    max_text_length: int = 256
    max_texts: int = 16


DEFAULT_LIMITS: Final = ReadLimits()
