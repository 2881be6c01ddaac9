"""How results repeat the identity of an object: character by character, where the standard allows it."""

import re
import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.valuerep import validate_value

_SEXES: Final = ("M", "F", "O")
_OFFSET: Final = re.compile(r"[+-][0-9]{4}")
_DATE: Final = re.compile(r"([0-9]{4})\.?([0-9]{2})\.?([0-9]{2})")
_TIME: Final = re.compile(r"([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(\.[0-9]{1,6})?)?)?")


class Fault(StrEnum):
    """What is wrong with a value that results should repeat."""

    LEFT_OUT = "left_out"
    AGAINST_THE_RULES = "against_the_rules"


class Repeated(NamedTuple):
    """A value for results.

    Attributes
    ----------
    text : str
    fault : Fault or None
        `LEFT_OUT` if results cannot repeat all of the value. `AGAINST_THE_RULES` if they repeat it although it is too
        long for its value representation: the archive files by the value that the images have.
    """

    text: str
    fault: Fault | None = None


def repeated(keyword: str, text: str) -> Repeated:
    """Prepare a value of the patient or the study for results.

    Dates and times in the form of ACR-NEMA (PS3.5 6.2: ``2026.11.23``, ``10:15:00``) mean the same without their
    separators. Control characters are left out: the standard does not allow them here (PS3.5 6.1.3).

    Parameters
    ----------
    keyword : str
    text : str
        Without DICOM's padding; several values are joined by backslashes.
    """
    clean = "".join(char for char in text if unicodedata.category(char) != "Cc")
    meant = _meant(keyword, clean)
    if clean != text or (clean and not meant):
        return Repeated(meant, Fault.LEFT_OUT)
    return Repeated(meant, None if _is_valid(keyword, meant) else Fault.AGAINST_THE_RULES)


def _meant(keyword: str, text: str) -> str:
    if keyword == "PatientSex":
        return text.upper() if text.upper() in _SEXES else ""
    if keyword == "TimezoneOffsetFromUTC":
        return text if _OFFSET.fullmatch(text) and _is_moment(text, "%z") else ""
    readings = {"DA": _date, "TM": _time}
    reading = readings.get(dictionary_VR(keyword))
    return reading(text) if reading else text


def _date(text: str) -> str:
    found = _DATE.fullmatch(text)
    return "".join(found.groups()) if found and _is_moment("".join(found.groups()), "%Y%m%d") else ""


def _time(text: str) -> str:
    found = _TIME.fullmatch(text)
    parts = [part for part in found.groups() if part] if found else []
    return "".join(parts) if parts and _is_moment("".join(parts[:3]), "%H%M%S"[: 2 * len(parts[:3])]) else ""


def _is_moment(digits: str, form: str) -> bool:
    try:
        datetime.strptime(digits, form)
    except ValueError:
        return False
    return True


def _is_valid(keyword: str, text: str) -> bool:
    try:
        validate_value(dictionary_VR(keyword), text, config.RAISE)
    except ValueError:
        return False
    return True
