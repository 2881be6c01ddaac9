"""What result objects repeat of the images they come from: patient, study, time, references."""

from collections.abc import Sequence
from typing import Final

from pydicom import Dataset, config
from pydicom.datadict import dictionary_VR
from pydicom.valuerep import validate_value

from app.adapters.dicom.keywords import STUDY_ATTRIBUTES
from app.core.values import Analysis, Origin, ViewEstimate

UTF_8: Final = "ISO_IR 192"
_SEXES: Final = ("M", "F", "O")
_TYPE_3: Final = ("IssuerOfPatientID", "StudyDescription")
"""Left out where they have no value; the others are there and empty (PS3.3 C.7.1.1, C.7.2.1)."""
_MULTI_FRAME: Final = frozenset({"1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.5.1.4.1.1.3"})


def study_attributes(origins: Sequence[Origin]) -> dict[str, str]:
    """Attributes of the patient and the study, by keyword, as all images say them.

    What the images disagree on, or what breaks its value representation, is empty: a result that lacks a patient's
    name is found and mended, one under a wrong name is neither.
    """
    return {
        keyword: _valid(keyword, values.pop()) if len(values) == 1 else ""
        for keyword in STUDY_ATTRIBUTES
        for values in [{origin.study.get(keyword, "") for origin in origins}]
    }


def _valid(keyword: str, text: str) -> str:
    if keyword == "PatientSex":
        return text if text in _SEXES else ""
    try:
        validate_value(dictionary_VR(keyword), text, config.RAISE)
    except ValueError:
        return ""
    return text


def file_under_study(dataset: Dataset, analysis: Analysis) -> None:
    """Give a result object the patient and the study of its images."""
    dataset.SpecificCharacterSet = UTF_8
    for keyword, text in study_attributes([view.origin for view in analysis.estimate.views]).items():
        if text or keyword not in _TYPE_3:
            setattr(dataset, keyword, text)
        elif keyword in dataset:
            delattr(dataset, keyword)


def content_moment(analysis: Analysis) -> tuple[str, str]:
    """Date and time of the content, YYYYMMDD and HHMMSS: when the last of its images was taken.

    Not when it was computed: the same images and bundle must make the same objects, wherever and whenever. Images
    that say no time leave only that of the analysis.
    """
    views = analysis.estimate.views
    study = study_attributes([view.origin for view in views])
    said = max((view.origin.taken_at for view in views), default="") or study["StudyDate"] + study["StudyTime"]
    if len(said) >= 8 and said[:8].isdigit():
        seconds = said[8:14]
        return said[:8], seconds if len(seconds) == 6 and seconds.isdigit() else "000000"
    return analysis.created_at.strftime("%Y%m%d"), analysis.created_at.strftime("%H%M%S")


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
    return [view.frame_number] if view.origin.sop_class_uid in _MULTI_FRAME else None


def image_reference(view: ViewEstimate) -> Dataset:
    """Refer to an image as Source Image Sequence (0008,2112) does."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = view.origin.sop_class_uid
    reference.ReferencedSOPInstanceUID = view.sop_instance_uid
    if frames := frame_numbers(view):
        reference.ReferencedFrameNumber = frames
    return reference
