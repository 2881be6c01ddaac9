"""Which instance shows which view, and whether the study is whole."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from app.core.errors import (
    AnalysisError,
    DuplicateInstance,
    DuplicateView,
    EmptyUpload,
    IncompleteStudy,
    MixedStudies,
    StudyError,
    UnrecognisedView,
)
from app.core.naming import DEFAULT_VIEW_RULES, ViewRule, name_view
from app.core.values import AnalysisWarning, Crop, View


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """An image on its way to becoming a view.

    Attributes
    ----------
    part : str
        The upload's own name for it, such as ``hepatic_veins`` or ``instances[2]``.
    crop : Crop
    declared_view : View or None
        The view that the sender named; it decides over any text.
    """

    part: str
    crop: Crop
    declared_view: View | None = None


def recognise_view(texts: Iterable[str], rules: Sequence[ViewRule] = DEFAULT_VIEW_RULES) -> View | None:
    """Tell the view from texts, most telling first.

    The first text that fits any rule decides; one that fits rules of two views decides nothing and the next is tried.

    Parameters
    ----------
    texts : iterable of str
        `DicomInstance.view_texts`.
    rules : sequence of ViewRule

    Returns
    -------
    View or None
        None when no text names exactly one view.
    """
    for text in texts:
        if naming := name_view(text, rules):
            return naming.view
    return None


def assign_views(
    candidates: Sequence[Candidate],
    *,
    allow_partial: bool = False,
    rules: Sequence[ViewRule] = DEFAULT_VIEW_RULES,
) -> dict[View, Crop]:
    """Find the four views of one study among the images; their order does not matter.

    Parameters
    ----------
    candidates : sequence of Candidate
    allow_partial : bool
        Whether one to three views are enough.
    rules : sequence of ViewRule

    Returns
    -------
    dict of View to Crop
        In the order of `View`.

    Raises
    ------
    MixedStudies, DuplicateInstance, DuplicateView, UnrecognisedView, IncompleteStudy
        The first that applies, in this order; everything else that is wrong stands in its ``also``.
    EmptyUpload
        If there are no candidates.
    """
    if not candidates:
        raise EmptyUpload("No file was sent. Send four DICOM files, one a view.")
    views = {
        candidate.part: candidate.declared_view or recognise_view(candidate.crop.view_texts, rules)
        for candidate in candidates
    }
    assigned = _by_view(candidates, views)
    refuse_all(
        [
            *_mixed_studies(candidates),
            *_same_pictures(candidates),
            *_duplicates(assigned),
            *_unrecognised(views),
            *_missing(assigned, allow_partial=allow_partial),
        ]
    )
    return {view: _with_contradiction(assigned[view][0], rules) for view in View if view in assigned}


def _with_contradiction(candidate: Candidate, rules: Sequence[ViewRule]) -> Crop:
    """Warn where the text names another view than the sender: files are easily swapped between two pickers."""
    named = recognise_view(candidate.crop.view_texts, rules)
    if named in {None, candidate.declared_view} or candidate.declared_view is None:
        return candidate.crop
    warning = AnalysisWarning(
        "view_contradicts_dicom",
        f"Sent as {candidate.declared_view}, but its DICOM text names {named}: check that files were not swapped.",
    )
    return replace(candidate.crop, warnings=(*candidate.crop.warnings, warning))


def refuse_all(errors: Sequence[AnalysisError]) -> None:
    """Raise the first error, with the others in its ``also``; do nothing when there is none."""
    if errors:
        errors[0].also = tuple(errors[1:])
        raise errors[0]


def _by_view(candidates: Sequence[Candidate], views: Mapping[str, View | None]) -> dict[View, list[Candidate]]:
    assigned = defaultdict(list)
    for candidate in candidates:
        if view := views[candidate.part]:
            assigned[view].append(candidate)
    return dict(assigned)


def _mixed_studies(candidates: Sequence[Candidate]) -> list[StudyError]:
    parts: dict[str, list[str]] = defaultdict(list)
    for candidate in candidates:
        parts[candidate.crop.study_instance_uid].append(candidate.part)
    if len(parts) == 1:
        return []
    groups = " | ".join(", ".join(group) for group in parts.values())
    return [
        MixedStudies(
            f"The files belong to {len(parts)} studies by (0020,000D) Study Instance UID ({groups}). "
            "Send the four views of one study.",
            studies=list(parts.values()),
        )
    ]


def _same_pictures(candidates: Sequence[Candidate]) -> list[StudyError]:
    return [
        DuplicateInstance(
            f"{first.part} and {second.part} are the same picture. Send another picture for each view.",
            parts=[first.part, second.part],
        )
        for first, second in combinations(candidates, 2)
        if _is_same_picture(first.crop, second.crop)
    ]


def _is_same_picture(first: Crop, second: Crop) -> bool:
    if first.sop_instance_uid == second.sop_instance_uid:
        return True
    return np.array_equal(first.tissue.pixels, second.tissue.pixels)


def _duplicates(assigned: Mapping[View, Sequence[Candidate]]) -> list[StudyError]:
    return [
        DuplicateView(
            f"{len(group)} files are the view {view} ({', '.join(candidate.part for candidate in group)}). "
            "Send one file a view, or name each by its form field.",
            view=view,
            parts=[candidate.part for candidate in group],
        )
        for view, group in assigned.items()
        if len(group) > 1
    ]


def _unrecognised(views: Mapping[str, View | None]) -> list[StudyError]:
    errors: list[StudyError] = []
    for part in (part for part, view in views.items() if view is None):
        error = UnrecognisedView(
            f"No attribute of {part} names one of the views {', '.join(View)}. "
            "Send it under the form field of its view, or configure view rules for this site.",
        )
        error.part = part
        errors.append(error)
    return errors


def _missing(assigned: Mapping[View, Sequence[Candidate]], *, allow_partial: bool) -> list[StudyError]:
    missing = [view for view in View if view not in assigned]
    if not missing or (allow_partial and assigned):
        return []
    return [
        IncompleteStudy(
            f"Missing: {', '.join(missing)}. Send all four views together, or set allow_partial to true.",
            missing_views=missing,
        )
    ]
