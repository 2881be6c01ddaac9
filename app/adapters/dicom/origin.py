"""What result objects have to repeat of the object they come from."""

from collections.abc import Mapping, Sequence
from typing import Final

from app.adapters.dicom.attributes import Attributes, is_uid, quoted
from app.adapters.dicom.keywords import STUDY_ATTRIBUTES, TIMES
from app.adapters.dicom.limits import ReadLimits
from app.adapters.dicom.repeating import Fault, Repeated, repeated
from app.core.values import AnalysisWarning, Origin

_SAID: Final = {
    Fault.LEFT_OUT: "Result objects cannot repeat all of {}, which breaks the standard's rules: correct the images.",
    Fault.AGAINST_THE_RULES: "Result objects repeat {} as it is, although it breaks the standard's rules.",
}


def read_origin(attributes: Attributes, limits: ReadLimits) -> tuple[Origin, tuple[AnalysisWarning, ...]]:
    """Read identity, place in the study, and the patient's and study's own attributes; say what cannot be repeated."""
    series = attributes.text("SeriesInstanceUID")
    texts = {keyword: _repeated(keyword, attributes.said(keyword), limits) for keyword in STUDY_ATTRIBUTES}
    faults = {**texts, "SeriesInstanceUID": Repeated(series, None if not series or is_uid(series) else Fault.LEFT_OUT)}
    origin = Origin(
        sop_class_uid=attributes.text("SOPClassUID"),
        series_instance_uid=series if is_uid(series) else "",
        instance_number=attributes.integer("InstanceNumber"),
        taken_at=next((time for names in TIMES if (time := _moment(attributes, *names))), ""),
        study={keyword: value.text for keyword, value in texts.items() if value.text},
    )
    return origin, _warnings(faults)


def _repeated(keyword: str, text: str, limits: ReadLimits) -> Repeated:
    if len(text) > limits.max_text_length:
        return Repeated(repeated(keyword, text[: limits.max_text_length]).text, Fault.LEFT_OUT)
    return repeated(keyword, text)


def _warnings(values: Mapping[str, Repeated]) -> tuple[AnalysisWarning, ...]:
    by_fault = {fault: [key for key, value in values.items() if value.fault is fault] for fault in Fault}
    return tuple(_warning(fault, keywords) for fault, keywords in by_fault.items() if keywords)


def _warning(fault: Fault, keywords: Sequence[str]) -> AnalysisWarning:
    return AnalysisWarning("identity_irregular", _SAID[fault].format(", ".join(map(quoted, keywords))))


def _moment(attributes: Attributes, *keywords: str) -> str:
    """Join date and time, or take a date-time, as digits that sort; empty unless all parts are there."""
    parts = [attributes.text(keyword) for keyword in keywords]
    return "".join(parts)[:26] if all(parts) else ""
