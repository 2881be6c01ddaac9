"""Stored analyses as DICOM objects: a report (SR), an overlay and a summary page (Secondary Capture).

The only door to highdicom. Its import takes two seconds, so it waits until somebody asks for an object.
"""

from app.core.values import Analysis, ScreenPixels, Target, View


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
