"""What stands around every call of pydicom's parser: its warnings go nowhere, its errors become refusals."""

import logging
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydicom.errors import BytesLengthException, InvalidDicomError

from app.core.errors import NotDicom

LIBRARY_ERRORS: Final = (
    BytesLengthException,
    InvalidDicomError,
    ValueError,  # bad numbers, Unicode
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,  # pydicom's word for an unknown Value Representation
    RuntimeError,  # RecursionError: sequences nested without end
    OSError,  # pydicom's word for a sequence that stops in mid-air
    EOFError,
    struct.error,
)
"""What pydicom raises on damaged bytes."""

_PARSER_LOCK: Final = threading.Lock()


class _ThisThreadOnly(logging.Filter):
    """Drop the records that one thread emits."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's warnings, which quote what it read, out of Python's warnings and out of the logs.

    Nothing of pydicom's process-wide configuration is touched. ``warnings.catch_warnings`` is not safe among
    threads, hence the lock; parsing takes milliseconds and holds the interpreter's own lock anyway, decoding happens
    outside. Should other code swap the filters at the same moment, the worst that can stay behind is silence about
    pydicom.
    """
    silence, logger = _ThisThreadOnly(), logging.getLogger("pydicom")
    with _PARSER_LOCK, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
        logger.addFilter(silence)
        try:
            yield
        finally:
            logger.removeFilter(silence)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what pydicom raises on damaged bytes into a refusal."""
    try:
        yield
    except LIBRARY_ERRORS as exc:
        raise damaged() from exc


def damaged() -> NotDicom:
    """Make the refusal of a data set whose elements cannot be told apart."""
    return NotDicom("The DICOM data set is damaged: export the object again from its source.")
