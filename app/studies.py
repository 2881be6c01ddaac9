"""Studies that fill up: one instance in, kept or set aside; when every view is in, the study is analysed.

What is analysed follows from what is kept, at any time and in any process: nothing else is remembered. So a repeat, a
restart or two processes at once lead to the same analysis.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import takewhile
from threading import Event

from app.adapters.reading.allowance import Allowance
from app.adapters.storage.study_repository import SettledStudy, StudyRepository, UnsettledStudy
from app.adapters.storage.study_state import read_state
from app.adapters.telemetry.metrics import Metrics
from app.core.access import SERVICE, Actor
from app.core.choice import choose_images, received_image, stand
from app.core.errors import AnalysisError
from app.core.objects import Identity
from app.core.pipeline import image_key, is_about, question
from app.core.studies import ReceivedInstance, obstacle, standing_images, standing_origins, views_of
from app.core.values import AnalysisWarning, Content, Crop
from app.looking import Seen, look
from app.service import AnalysisService

logger = logging.getLogger(__name__)


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
        changes = self._received.changes(study_instance_uid)
        finished = self._answer(study_instance_uid, by)
        self._received.mark_settled([SettledStudy(study_instance_uid, changes, finished)])

    def _answer(self, study_instance_uid: str, by: Actor) -> bool:
        """Analyse the standing images unless they are; tell whether there is an analysis of all views then."""
        choices = choose_images(views_of(*self._received.what_tells(study_instance_uid)))
        images = standing_images(choices)
        if obstacle(choices):
            return False
        known = self._analyses.find(question(images, self._service.bundle.sha256))
        if known and is_about(known, standing_origins(choices)):
            return True
        crops = self._received.crops(images)
        if crops.keys() != images.keys():  # an image was replaced meanwhile, and whoever did so comes here too
            return False
        self._service.analyse_crops({view: stand(crops[view], choices[view]) for view in choices}, by)
        return True

    def follow_up(self, stopping: Event) -> None:
        """Analyse studies that have every view and no analysis: the process ended in between, or the analysis failed.

        Only those are looked at of which something came since they were settled. An analysis by an earlier bundle is
        good enough: a new bundle does not answer the whole archive again.

        Parameters
        ----------
        stopping : Event
            Looked at before each study.

        Raises
        ------
        StorageUnavailable
        """
        for page in self._received.unsettled():
            going_on = takewhile(lambda _: not stopping.is_set(), page)
            self._received.mark_settled(list(filter(None, map(self._follow_up, going_on))))
            if stopping.is_set():
                return

    def _follow_up(self, study: UnsettledStudy) -> SettledStudy | None:
        """Settle a study; one that needs nothing is given back, to be marked with others."""
        state = read_state(self._analyses, self._received, study.study_instance_uid)
        if state and state.obstacle is None and state.current is None:
            self.settle([study.study_instance_uid], SERVICE)
            return None
        finished = state is not None and any(each.estimate.complete for each in state.analyses)
        return SettledStudy(study.study_instance_uid, study.changes, finished)


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
