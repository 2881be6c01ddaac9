"""Stored analyses as DICOM objects: a report (SR), an overlay and a summary page (Secondary Capture).

The only door to highdicom. Importing it and reading its tables blocks every other thread for up to a second, so a
service calls `load` before it accepts requests. Commands that write no objects never import it.
"""

from app.core.values import Analysis, ScreenPixels, Target, View


def load() -> None:
    """Import what writing objects needs, and make highdicom read its tables of the standard."""
    from highdicom import _standard_utils

    from app.adapters.dicom_results import captures, report  # noqa: F401 - imported to be there when asked for

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
