"""Studies that fill up: one instance in, kept or set aside; when every view is in, the study is analysed.

What is analysed follows from what is kept, at any time and in any process: nothing else is remembered. So a repeat, a
restart or two processes at once lead to the same analysis.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.adapters.reading.allowance import Allowance
from app.adapters.storage.repository import AnalysisRepository
from app.adapters.storage.study_repository import StudyRepository
from app.adapters.telemetry.metrics import Metrics
from app.core.access import Actor
from app.core.choice import Choice, ShownView, choose_images, received_image, stand
from app.core.errors import AnalysisError
from app.core.objects import Identity
from app.core.pipeline import image_key, is_about, question
from app.core.studies import ReceivedInstance, is_of_views, obstacle, standing_images, standing_origins, views_of
from app.core.values import Analysis, AnalysisWarning, Content, Crop, View
from app.looking import Seen, look
from app.service import AnalysisService

logger = logging.getLogger(__name__)

MAX_ANALYSES = 100
"""Of one study, newest first, that its state shows."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one instance.

    Attributes
    ----------
    identity : Identity or None
        None where the content is not a DICOM object, or does not say which one.
    refusal : str or None
        Code of why it was not accepted.
    """

    identity: Identity | None
    refusal: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StudyState:
    """All that is known of a study.

    Attributes
    ----------
    instances : list of ReceivedInstance
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

    instances: list[ReceivedInstance]
    shown: list[ShownView]
    choices: dict[View, Choice]
    obstacle: AnalysisWarning | None
    current: Analysis | None
    analyses: list[Analysis]
    valid: list[Analysis]


class StudyService:
    """Takes instances one by one; one request's, as far as they have to be read.

    Parameters
    ----------
    service : AnalysisService
    received : StudyRepository
    metrics : Metrics
    """

    def __init__(self, service: AnalysisService, received: StudyRepository, metrics: Metrics) -> None:
        self.max_instance_bytes = service.max_instance_bytes
        self.at_once = service.at_once
        self._service = service
        self._analyses = service.repository
        self._received = received
        self._metrics = metrics
        self._allowance = Allowance()

    def receive(self, content: Content, by: Actor, expected_study: str | None = None) -> Receipt:
        """Keep the crop of an image of a view; set aside other images; refuse an image of a view that cannot be used.

        Raises
        ------
        StorageUnavailable
        """
        return self.keep(self.look(content, expected_study), by)

    def look(self, content: Content, expected_study: str | None = None) -> Seen:
        """See what an instance is, as `app.looking.look` does; nothing is kept."""
        return look(self._service, self._known, content, expected_study, self._allowance)

    def keep(self, seen: Seen, by: Actor) -> Receipt:
        """Keep what was seen, one instance after another in the order in which they came.

        Raises
        ------
        StorageUnavailable
        """
        if seen.instance is None or seen.identity is None:
            self._metrics.received("refused", seen.refusal or "")
            return Receipt(seen.identity, seen.refusal)
        known = self._known(seen.identity)
        if seen.content and known != seen.instance:  # another content came in between
            return self.receive(seen.content, by)
        self._metrics.received(*_outcome(seen.instance, known))
        if known is None or not (_is_same(known, seen.instance) or (known.image and not seen.is_readable)):
            self._put(seen.instance, seen.crop, known, by)
        return Receipt(seen.identity, seen.refusal)

    def _put(self, instance: ReceivedInstance, crop: Crop | None, known: ReceivedInstance | None, by: Actor) -> None:
        if crop:
            crop = _with_change(crop, known)
            instance = replace(instance, image=received_image(crop))
        self._received.put(instance, by, crop)

    def _known(self, identity: Identity) -> ReceivedInstance | None:
        return self._received.find(identity.study_instance_uid, identity.sop_instance_uid)

    def settle(self, study_instance_uids: Iterable[str], by: Actor) -> None:
        """Analyse those of the studies that can be; a failure is for the log, and for the next attempt.

        What was received is safe by now, so the sender need not hear of it: the same instance sent again, the next
        start of the service and its housekeeping all come back here.
        """
        for uid in study_instance_uids:
            try:
                self._settle(uid, by)
            except AnalysisError as error:
                logger.error("analysis postponed: code=%s", error.code)  # noqa: TRY400 - one line says it

    def _settle(self, study_instance_uid: str, by: Actor) -> None:
        choices = choose_images(views_of(self._received.instances(study_instance_uid)))
        images = standing_images(choices)
        if obstacle(choices):
            return
        known = self._analyses.find(question(images, self._service.bundle.sha256))
        if known and is_about(known, standing_origins(choices)):
            return
        crops = self._received.crops(images)
        if crops.keys() == images.keys():  # else an image was replaced meanwhile, and whoever did so comes here too
            self._service.analyse_crops({view: stand(crops[view], choices[view]) for view in choices}, by)

    def forgotten(self, since: datetime | None = None) -> Iterator[str]:
        """Find studies that have every view and no analysis: the process ended in between, or the analysis failed.

        An analysis by an earlier bundle is good enough: a new bundle does not answer the whole archive again.

        Parameters
        ----------
        since : datetime, optional
            Only studies of which an image was received at this time or later.
        """
        after = ""
        while uids := self._received.studies_with_enough_images(after=after, since=since):
            for uid in uids:
                state = read_state(self._analyses, self._received, uid)
                if state and state.obstacle is None and state.current is None:
                    yield uid
            after = uids[-1]


def read_state(analyses: AnalysisRepository, received: StudyRepository, study_instance_uid: str) -> StudyState | None:
    """Tell all that is known of a study; None if nothing is."""
    instances = received.instances(study_instance_uid)
    answered, _ = analyses.page(study_instance_uid=study_instance_uid, limit=MAX_ANALYSES, cursor=None)
    if not instances and not answered:
        return None
    shown = views_of(instances)
    choices = choose_images(shown)
    hindrance = obstacle(choices)
    valid = [each for each in answered if is_of_views(each, instances, shown)]
    current = newest_complete(valid) if hindrance else _answer(analyses, choices, answered)
    return StudyState(instances, shown, choices, hindrance, current, answered, valid)


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


def _outcome(instance: ReceivedInstance, known: ReceivedInstance | None) -> tuple[str, str]:
    """Name what became of an instance as the metrics count it, and why."""
    if instance.reason:
        return "refused" if instance.refused else "set_aside", instance.reason.code
    return "repeated" if known and _is_same(known, instance) else "stored", ""


def _is_same(known: ReceivedInstance, instance: ReceivedInstance) -> bool:
    """Tell whether an instance says nothing new, whenever it was received."""
    return _content(known) == _content(instance)


def _content(instance: ReceivedInstance) -> tuple[object, ...]:
    key = instance.image and instance.image.key
    return instance.content_sha256, instance.looked_by, instance.evidence, key, instance.reason, instance.refused


def _with_change(crop: Crop, known: ReceivedInstance | None) -> Crop:
    """Warn where a SOP Instance UID, which the standard makes the name of one picture, came with two."""
    if known is None or known.image is None or known.image.key.tissue_sha256 == image_key(crop).tissue_sha256:
        return crop
    detail = "Another picture was received before under this SOP Instance UID; this one, received last, is used."
    return replace(crop, warnings=(*crop.warnings, AnalysisWarning("picture_replaced", detail)))
