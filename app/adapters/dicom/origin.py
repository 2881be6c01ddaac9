"""What result objects have to repeat of the object they come from."""

from app.adapters.dicom.attributes import Attributes
from app.adapters.dicom.keywords import STUDY_ATTRIBUTES, TIMES
from app.adapters.dicom.limits import ReadLimits
from app.core.values import Origin


def read_origin(attributes: Attributes, limits: ReadLimits) -> Origin:
    """Read identity, place in the study, and the patient's and study's own attributes, each text of bounded length."""
    study = {keyword: attributes.words(keyword)[: limits.max_text_length] for keyword in STUDY_ATTRIBUTES}
    return Origin(
        sop_class_uid=attributes.text("SOPClassUID"),
        series_instance_uid=attributes.text("SeriesInstanceUID"),
        instance_number=attributes.integer("InstanceNumber"),
        taken_at=next((time for names in TIMES if (time := _moment(attributes, *names))), ""),
        study={keyword: text for keyword, text in study.items() if text},
    )


def _moment(attributes: Attributes, *keywords: str) -> str:
    """Join date and time, or take a date-time, as digits that sort; empty unless all parts are there."""
    parts = [attributes.text(keyword) for keyword in keywords]
    return "".join(parts)[:26] if all(parts) else ""
