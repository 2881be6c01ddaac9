"""Which instance shows which view, and whether the study is whole."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from app.core.errors import (
    AnalysisError,
    DuplicateInstance,
    DuplicateView,
    EmptyUpload,
    IncompleteStudy,
    MixedPatients,
    MixedStudies,
    StudyError,
    UnrecognisedView,
)
from app.core.evidence import Evidence, Recognition, gather, recognise
from app.core.naming import DEFAULT_VIEW_RULES, ViewRule
from app.core.objects import Introduction
from app.core.patients import different_patients
from app.core.unrecognised import why_unrecognised
from app.core.values import AnalysisWarning, Crop, View, ViewTexts


@dataclass(frozen=True, slots=True, eq=False)
class Refused:
    """What is known of a file that was refused.

    Attributes
    ----------
    error : AnalysisError
    study_instance_uid : str
        (0020,000D); empty if it could not be read.
    view_texts : ViewTexts or None
        None if they could not be read.
    """

    error: AnalysisError
    study_instance_uid: str = ""
    view_texts: ViewTexts | None = None


def refused(error: AnalysisError, introduction: Introduction) -> Refused:
    """Put down what is still known of a file that was refused: of anything but an ultrasound image, nothing."""
    texts, identity = introduction.view_texts, introduction.identity
    if isinstance(texts, AnalysisError):
        return Refused(error)
    return Refused(error, identity.study_instance_uid if identity else "", texts)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A file on its way to becoming a view.

    Attributes
    ----------
    part : str
        The upload's own name for it, such as ``hepatic_veins`` or ``instances[2]``.
    image : Crop or Refused
        A refused file becomes no view, but what is known of it counts when the study's faults are listed.
    declared_view : View or None
        The view that the sender named; it decides over any text.
    """

    part: str
    image: Crop | Refused
    declared_view: View | None = None


class _Named(NamedTuple):
    """A candidate and the view that it shows."""

    part: str
    image: Crop | Refused
    recognition: Recognition


def assign_views(
    candidates: Sequence[Candidate],
    *,
    allow_partial: bool = False,
    rules: Sequence[ViewRule] = DEFAULT_VIEW_RULES,
) -> dict[View, Crop]:
    """Find the four views of one study among the images; their order does not matter.

    Of two images of a view the better named one stands, which is remarked; two that are equally well named are refused.

    Parameters
    ----------
    candidates : sequence of Candidate
    allow_partial : bool
        Whether one to three views are enough.
    rules : sequence of ViewRule

    Returns
    -------
    dict of View to Crop
        In the order of `View`; each says what told its view.

    Raises
    ------
    AnalysisError
        The first of these, everything else that is wrong in its ``also``: why files were refused, MixedStudies,
        MixedPatients, DuplicateInstance, DuplicateView, UnrecognisedView, IncompleteStudy.
    EmptyUpload
        If there are no candidates.
    """
    if not candidates:
        raise EmptyUpload("No file was sent. Send four DICOM files, one a view.")
    evidence = [evidence_of(candidate, rules) for candidate in candidates]
    views = recognise(evidence)
    assigned = _by_view(candidates, views)
    refuse_all(
        [
            *_refusals(candidates),
            *_mixed_studies(candidates),
            *_mixed_patients(candidates),
            *_same_pictures(candidates),
            *_duplicates(assigned),
            *_unrecognised(candidates, evidence, views),
            *_missing(assigned, candidates, allow_partial=allow_partial),
        ]
    )
    return {view: _standing(assigned[view]) for view in View if view in assigned}


def evidence_of(candidate: Candidate, rules: Sequence[ViewRule]) -> Evidence:
    """Gather what names the view of a candidate."""
    image = candidate.image
    screen = image.screen if isinstance(image, Crop) else None
    texts = image.view_texts or ViewTexts()
    return gather(texts, image.study_instance_uid, rules, screen=screen, declared=candidate.declared_view)


def told(crop: Crop, recognition: Recognition, *warnings: AnalysisWarning) -> Crop:
    """Note on an image what told its view, and what is to be remarked."""
    remarked = (*crop.warnings, *recognition.warnings, *warnings)
    return replace(crop, view_source=recognition.source, warnings=remarked)


def other_images(view: View, others: int) -> AnalysisWarning:
    """Remark that images of a view were not used because another is better named."""
    counted = "Another image is" if others == 1 else f"{others} other images are"
    return AnalysisWarning(
        "other_image_not_used", f"{counted} named {view} less clearly than the one that was used: check the choice."
    )


def refuse_all(errors: Sequence[AnalysisError]) -> None:
    """Raise the first error, with the others in its ``also``; do nothing when there is none."""
    if errors:
        errors[0].also = tuple(errors[1:])
        raise errors[0]


def _by_view(candidates: Sequence[Candidate], views: Sequence[Recognition | None]) -> dict[View, list[_Named]]:
    """Group by view, the best named first."""
    assigned: dict[View, list[_Named]] = defaultdict(list)
    for candidate, recognition in zip(candidates, views, strict=True):
        if recognition:
            assigned[recognition.view].append(_Named(candidate.part, candidate.image, recognition))
    return {view: sorted(group, key=_clarity, reverse=True) for view, group in assigned.items()}


def _clarity(named: _Named) -> tuple[bool, int]:
    return named.recognition.clarity


def _standing(group: Sequence[_Named]) -> Crop:
    best, *others = group
    assert isinstance(best.image, Crop)  # noqa: S101 - else its refusal was raised
    remarks = [other_images(best.recognition.view, len(others))] if others else []
    return told(best.image, best.recognition, *remarks)


def _refusals(candidates: Iterable[Candidate]) -> list[AnalysisError]:
    refused = [(each.part, each.image.error) for each in candidates if isinstance(each.image, Refused)]
    for part, error in refused:
        error.part = part
    return [error for _, error in refused]


def _mixed_studies(candidates: Sequence[Candidate]) -> list[StudyError]:
    parts: dict[str, list[str]] = defaultdict(list)
    for candidate in candidates:
        if uid := candidate.image.study_instance_uid:
            parts[uid].append(candidate.part)
    if len(parts) <= 1:
        return []
    groups = " | ".join(", ".join(group) for group in parts.values())
    return [
        MixedStudies(
            f"The files belong to {len(parts)} studies by (0020,000D) Study Instance UID ({groups}). "
            "Send the four views of one study.",
            studies=list(parts.values()),
        )
    ]


def _mixed_patients(candidates: Iterable[Candidate]) -> list[StudyError]:
    studies = {each.part: each.image.origin.study for each in candidates if isinstance(each.image, Crop)}
    if not (mixed := different_patients(studies)):
        return []
    correct = "Send the four views of one patient, or correct the images in the archive first."
    return [MixedPatients(f"The files name {mixed}. {correct}")]


def _same_pictures(candidates: Sequence[Candidate]) -> list[StudyError]:
    crops = [(each.part, each.image) for each in candidates if isinstance(each.image, Crop)]
    return [
        DuplicateInstance(
            f"{first} and {second} are the same picture. Send another picture for each view.", parts=[first, second]
        )
        for (first, one), (second, other) in combinations(crops, 2)
        if _is_same_picture(one, other)
    ]


def _is_same_picture(first: Crop, second: Crop) -> bool:
    if first.sop_instance_uid == second.sop_instance_uid:
        return True
    return np.array_equal(first.tissue.pixels, second.tissue.pixels)


def _duplicates(assigned: Mapping[View, Sequence[_Named]]) -> list[StudyError]:
    found = {view: _equally_well_named(group) for view, group in assigned.items()}
    return [
        DuplicateView(
            f"{len(group)} files are the view {view} ({', '.join(each.part for each in group)}). "
            "Send one file a view, or name each by its form field.",
            view=view,
            parts=[each.part for each in group],
        )
        for view, group in found.items()
        if len(group) > 1
    ]


def _equally_well_named(group: Sequence[_Named]) -> list[_Named]:
    """Find the files among which no choice is made; a refused one is none of them, for it has to go anyway."""
    usable = [each for each in group if isinstance(each.image, Crop)]
    return [each for each in usable if _clarity(each) == _clarity(usable[0])]


def _unrecognised(
    candidates: Sequence[Candidate], evidence: Sequence[Evidence], views: Sequence[Recognition | None]
) -> list[StudyError]:
    """List the files whose texts could be read and name no view."""
    errors: list[StudyError] = []
    for candidate, said, recognition in zip(candidates, evidence, views, strict=True):
        if recognition or candidate.image.view_texts is None:
            continue
        why = why_unrecognised(said, was_refused=isinstance(candidate.image, Refused))
        error = UnrecognisedView(f"{candidate.part} is not recognised as one of the four views. {why}")
        error.part = candidate.part
        errors.append(error)
    return errors


def _missing(
    assigned: Mapping[View, Sequence[_Named]], candidates: Iterable[Candidate], *, allow_partial: bool
) -> list[StudyError]:
    """Name the missing views, unless a refused file of which nothing is known may be one of them."""
    missing = [view for view in View if view not in assigned]
    if not missing or (allow_partial and assigned) or any(map(_may_be_any, candidates)):
        return []
    return [
        IncompleteStudy(
            f"Missing: {', '.join(missing)}. Send all four views together, or set allow_partial to true.",
            missing_views=missing,
        )
    ]


def _may_be_any(candidate: Candidate) -> bool:
    return candidate.declared_view is None and candidate.image.view_texts is None
