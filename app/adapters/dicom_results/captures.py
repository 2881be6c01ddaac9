"""Pictures as Secondary Capture Image Storage (PS3.3 A.8.1): any viewer shows them."""

from typing import Any, Final

from highdicom.sc import SCImage
from pydicom.uid import ExplicitVRLittleEndian

from app.adapters.dicom_results.objects import finished, header
from app.adapters.dicom_results.origins import image_reference
from app.core.notices import NOTICE, VIEW_NAMES, remarks
from app.core.values import Analysis, ScreenPixels, Target, View, ViewEstimate

_SUMMARY_NUMBER: Final = 1
_TARGET_NAMES: Final = {Target.PDFF: "PDFF", Target.GE5: "PDFF >= 5 %", Target.GE10: "PDFF >= 10 %"}


def make_overlay(analysis: Analysis, view: View, target: Target, pixels: ScreenPixels) -> bytes:
    """Make the capture of one map over its tissue."""
    source = next(each for each in analysis.estimate.views if each.view == view)
    number = 2 + list(View).index(view) * len(Target) + list(Target).index(target)
    description = f"Class activation map, {_TARGET_NAMES[target]}: {VIEW_NAMES[view]}"
    return _capture(analysis, pixels, number, description, [source])


def make_summary(analysis: Analysis, pixels: ScreenPixels) -> bytes:
    """Make the capture of the summary page."""
    return _capture(analysis, pixels, _SUMMARY_NUMBER, "Liver fat estimate, summary", list(analysis.estimate.views))


def _capture(
    analysis: Analysis, pixels: ScreenPixels, number: int, description: str, sources: list[ViewEstimate]
) -> bytes:
    arguments: dict[str, Any] = header(analysis, "OT", number)
    capture = SCImage(
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        study_instance_uid=analysis.estimate.study_instance_uid,
        series_description="liver-pdff: estimate of liver fat (not for diagnosis)",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **arguments,
    )
    # An oblique hand-held plane has no orientation; what the constructor asks for is not known (type 2C, empty).
    capture.PatientOrientation = []
    capture.BodyPartExamined = "LIVER"  # without it Laterality would be required
    capture.BurnedInAnnotation = "YES"
    capture.ImageComments = " ".join([NOTICE, *remarks(analysis)])
    capture.DerivationDescription = description
    capture.SourceImageSequence = [image_reference(view) for view in sources]
    return finished(capture, analysis)
