"""Stored analyses as DICOM objects: a report (SR), an overlay and a summary page (Secondary Capture).

The only door to highdicom. Its import and its tables take a second in which no other thread moves: a service calls
`load` before it answers anybody, and what makes no objects never imports it.
"""

from app.core.values import Analysis, ScreenPixels, Target, View


def load() -> None:
    """Import what writing objects needs, and have highdicom read the tables of the standard that it keeps."""
    from highdicom import _standard_utils

    from app.adapters.dicom_results import captures, report  # noqa: F401

    _standard_utils.get_sop_class_iod_map()
    _standard_utils.get_iod_module_map()
    _standard_utils.get_module_attribute_map()


def write_report(analysis: Analysis) -> bytes:
    """Write the Comprehensive 3D SR of an analysis (PS3.16 TID 1500), a DICOM file."""
    from app.adapters.dicom_results.report import make_report

    return make_report(analysis)


def write_overlay(analysis: Analysis, view: View, target: Target, pixels: ScreenPixels) -> bytes:
    """Write one map over its tissue as Secondary Capture, a DICOM file; `pixels` has the shape (rows, columns, 3)."""
    from app.adapters.dicom_results.captures import make_overlay

    return make_overlay(analysis, view, target, pixels)


def write_summary(analysis: Analysis, pixels: ScreenPixels) -> bytes:
    """Write the summary page as Secondary Capture, a DICOM file; `pixels` has the shape (rows, columns, 3)."""
    from app.adapters.dicom_results.captures import make_summary

    return make_summary(analysis, pixels)
