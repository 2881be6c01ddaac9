"""The state of a study: what was received of it one by one, and what was answered, put together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.adapters.storage.repository import AnalysisRepository
from app.adapters.storage.study_repository import StudyRepository
from app.core.choice import Choice, ShownView, choose_images
from app.core.pipeline import is_about, question
from app.core.studies import (
    ReceivedInstance,
    is_of_views,
    not_shown,
    obstacle,
    standing_images,
    standing_origins,
    views_of,
)
from app.core.values import Analysis, AnalysisWarning, View

MAX_ANALYSES = 100
"""Of one study, newest first, that its state shows."""

MAX_UNUSED = 100
"""Instances that were set aside, and that were refused, that it lists."""


@dataclass(frozen=True, slots=True, eq=False)
class StudyState:
    """All that is known of a study.

    Attributes
    ----------
    images : list of ReceivedInstance
        Those that show, or may show, a view.
    shown : list of ShownView
        Those of them that show a view.
    choices : dict of View to Choice
    obstacle : AnalysisWarning or None
        What keeps the received images from being analysed.
    current : Analysis or None
        The newest analysis of the images that stand for the views now; where they cannot be analysed, or none was
        received one by one, the newest complete analysis, or else the newest, of images that still show its views.
    analyses : list of Analysis
        Newest first, the current one included.
    valid : list of Analysis
        Those of them whose images still show its views.
    """

    images: list[ReceivedInstance]
    shown: list[ShownView]
    choices: dict[View, Choice]
    obstacle: AnalysisWarning | None
    current: Analysis | None
    analyses: list[Analysis]
    valid: list[Analysis]


@dataclass(frozen=True, slots=True, eq=False)
class Unused:
    """Received instances that no analysis uses, each with its reason, newest first and at most `MAX_UNUSED`.

    Attributes
    ----------
    set_aside, refused : list of ReceivedInstance
    set_aside_total, refused_total : int
        All of them, those included.
    """

    set_aside: list[ReceivedInstance]
    set_aside_total: int
    refused: list[ReceivedInstance]
    refused_total: int


def read_unused(received: StudyRepository, study_instance_uid: str, state: StudyState) -> Unused:
    """List what was set aside, or refused, of a study."""
    images = not_shown(state.images, state.shown)
    newest, total = received.without_image(study_instance_uid, refused=False, limit=MAX_UNUSED)
    refused, refused_total = received.without_image(study_instance_uid, refused=True, limit=MAX_UNUSED)
    latest_first = sorted([*images, *newest], key=lambda each: (each.received_at, each.sop_instance_uid), reverse=True)
    return Unused(latest_first[:MAX_UNUSED], total + len(images), refused, refused_total)


def read_state(analyses: AnalysisRepository, received: StudyRepository, study_instance_uid: str) -> StudyState | None:
    """Tell all that is known of a study; None if nothing is."""
    answered, _ = analyses.page(study_instance_uid=study_instance_uid, limit=MAX_ANALYSES, cursor=None)
    if not answered and not received.knows(study_instance_uid):
        return None
    images, others = received.what_tells(study_instance_uid)
    shown = views_of(images, others)
    choices = choose_images(shown)
    hindrance = obstacle(choices)
    used = {view.sop_instance_uid for each in answered for view in each.estimate.views}
    there = received.with_evidence(study_instance_uid, used)
    valid = [each for each in answered if is_of_views(each, there, shown)]
    current = newest_complete(valid) if hindrance else _answer(analyses, choices, answered)
    return StudyState(images, shown, choices, hindrance, current, answered, valid)


def newest_complete(answered: Sequence[Analysis]) -> Analysis | None:
    """Take the first complete analysis of a list that begins with the newest, or else the newest."""
    return next((each for each in answered if each.estimate.complete), next(iter(answered), None))


def _answer(
    analyses: AnalysisRepository, choices: Mapping[View, Choice], answered: Sequence[Analysis]
) -> Analysis | None:
    """Find the newest answer about the standing images as they are now, by whichever bundle."""
    images, origins = standing_images(choices), standing_origins(choices)
    bundles = {each.bundle.sha256 for each in answered}
    found = [analyses.find(question(images, sha256)) for sha256 in bundles]
    true = [each for each in found if each and is_about(each, origins)]
    return max(true, key=lambda each: each.created_at, default=None)
