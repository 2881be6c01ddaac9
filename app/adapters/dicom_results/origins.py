"""What result objects repeat of the images they come from: patient, study, time, references."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from pydicom import DataElement, Dataset, config
from pydicom.datadict import dictionary_VR

from app.adapters.dicom.attributes import tag_of
from app.adapters.dicom.keywords import STUDY_ATTRIBUTES
from app.adapters.dicom.repeating import repeated
from app.core.values import Analysis, Estimate, ViewEstimate

UTF_8: Final = "ISO_IR 192"
_TYPE_3: Final = ("IssuerOfPatientID", "StudyDescription", "TimezoneOffsetFromUTC")
"""Left out where they have no value; the others are there and empty (PS3.3 C.7.1.1, C.7.2.1)."""
_ONE_FRAME: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.6.1",  # Ultrasound Image Storage
        "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound Image Storage (Retired)
        "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture Image Storage
    }
)
"""Every other class that the reader takes is multi-frame."""


def study_attributes(estimate: Estimate) -> dict[str, str]:
    """Attributes of the patient and the study, by keyword, as all images say them.

    What the images disagree on is empty. Values are checked again here: analyses that were stored by earlier versions
    may hold some that results cannot repeat.
    """
    return {keyword: repeated(keyword, estimate.said_by_all(keyword)).text for keyword in STUDY_ATTRIBUTES}


def file_under_study(dataset: Dataset, analysis: Analysis) -> None:
    """Give a result object the patient and the study of its images."""
    dataset.SpecificCharacterSet = UTF_8
    for keyword, text in study_attributes(analysis.estimate).items():
        if text or keyword not in _TYPE_3:
            dataset.add(DataElement(tag_of(keyword), dictionary_VR(keyword), text, validation_mode=config.IGNORE))
        elif keyword in dataset:
            delattr(dataset, keyword)


def content_moment(analysis: Analysis) -> tuple[str, str]:
    """Date and time of the content, YYYYMMDD and HHMMSS: when the last of its images was taken.

    Not when it was computed: the same images and bundle must make the same objects, wherever and whenever. Images
    that say no time leave only that of the analysis.
    """
    study = study_attributes(analysis.estimate)
    taken = max(view.origin.taken_at for view in analysis.estimate.views)
    moment = _moment(taken or study["StudyDate"] + study["StudyTime"]) or _local(analysis, study)
    return moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")


def _local(analysis: Analysis, study: dict[str, str]) -> datetime:
    """Give the time of the analysis in the images' time zone, else in the service's (PS3.3 C.12.1.1.8)."""
    offset = study["TimezoneOffsetFromUTC"]
    return analysis.created_at.astimezone(datetime.strptime(offset, "%z").tzinfo if offset else None)


def _moment(digits: str) -> datetime | None:
    """Read YYYYMMDDHHMMSS, or the date alone where the time is none; None where the date is none."""
    for form, length in (("%Y%m%d%H%M%S", 14), ("%Y%m%d", 8)):
        text = digits[:length]
        with suppress(ValueError):  # no such moment: the next form decides
            if len(text) == length:
                return datetime.strptime(text, form).replace(tzinfo=UTC)
    return None


def evidence(view: ViewEstimate, study_instance_uid: str) -> Dataset:
    """Make a stand-in for an image: as much of it as a reference needs."""
    image = Dataset()
    image.StudyInstanceUID = study_instance_uid
    image.SeriesInstanceUID = view.origin.series_instance_uid
    image.SOPClassUID = view.origin.sop_class_uid
    image.SOPInstanceUID = view.sop_instance_uid
    for keyword in STUDY_ATTRIBUTES:
        if keyword not in _TYPE_3:
            setattr(image, keyword, "")
    return image


def frame_numbers(view: ViewEstimate) -> list[int] | None:
    """Name the frame of a multi-frame image; an image of one frame must not have one (PS3.3 C.18.4)."""
    return None if view.origin.sop_class_uid in _ONE_FRAME else [view.frame_number]


def image_reference(view: ViewEstimate) -> Dataset:
    """Refer to an image as Source Image Sequence (0008,2112) does."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = view.origin.sop_class_uid
    reference.ReferencedSOPInstanceUID = view.sop_instance_uid
    if frames := frame_numbers(view):
        reference.ReferencedFrameNumber = frames
    return reference
