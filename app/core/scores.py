"""One row a study: what a table of thousands of studies says of each."""

from collections.abc import Iterable, Mapping
from typing import Final

from app.core.values import BundleIdentity, Estimate, View, ViewEstimate

SCORED: Final = "scored"
"""Outcome of a study that was estimated; any other is the code of what kept it from being."""

Row = dict[str, str | float | bool | int | None]
"""Column to value; `columns` tells names and types."""

_OF_THE_STUDY: Final[Mapping[str, type]] = {
    "study_instance_uid": str,
    "outcome": str,
    "detail": str,
    "pdff_percent": float,
    "probability_ge5": float,
    "probability_ge10": float,
    "steatosis_ge5": bool,
    "steatosis_ge10": bool,
    "warnings": str,
}
_OF_A_VIEW: Final[Mapping[str, type]] = {
    "sop_instance_uid": str,
    "view_source": str,
    "pdff_percent": float,
    "probability_ge5": float,
    "probability_ge10": float,
    "warnings": str,
}
_OF_THE_RUN: Final[Mapping[str, type]] = {
    "instances": int,
    "instances_set_aside": str,
    "bundle_name": str,
    "bundle_version": str,
    "bundle_sha256": str,
    "bundle_precision": str,
    "bundle_synthetic": bool,
}


def columns() -> dict[str, type]:
    """Name every column and its type, in order; any value may be missing."""
    of_views = {f"{view}_{name}": kind for view in View for name, kind in _OF_A_VIEW.items()}
    return {**_OF_THE_STUDY, **of_views, **_OF_THE_RUN}


def scored(estimate: Estimate) -> Row:
    """Write what was estimated."""
    row: Row = {name: getattr(estimate, name) for name in _OF_THE_STUDY if hasattr(estimate, name)}
    row |= {"outcome": SCORED, "warnings": _codes(warning.code for warning in estimate.warnings)}
    for view in estimate.views:
        row |= {f"{view.view}_{name}": value for name, value in _of_view(view).items()}
    return row


def not_scored(study_instance_uid: str, code: str, detail: str) -> Row:
    """Write what kept a study from being estimated."""
    return {"study_instance_uid": study_instance_uid, "outcome": code, "detail": detail}


def of_the_run(set_aside: Mapping[str, int], used: int, bundle: BundleIdentity) -> Row:
    """Write what a study consisted of and which bundle was asked.

    Parameters
    ----------
    set_aside : mapping of str to int
        Code of why instances show no view, or cannot be used, and how many.
    used : int
        Instances that show a view.
    bundle : BundleIdentity
    """
    return {
        "instances": used + sum(set_aside.values()),
        "instances_set_aside": " ".join(f"{code}:{count}" for code, count in sorted(set_aside.items())),
        **{f"bundle_{name}": getattr(bundle, name) for name in ("name", "version", "sha256", "precision", "synthetic")},
    }


def _of_view(view: ViewEstimate) -> Row:
    row: Row = {name: getattr(view, name) for name in _OF_A_VIEW}
    return row | {"warnings": _codes(warning.code for warning in view.warnings)}


def _codes(codes: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(codes))
