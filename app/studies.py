"""Studies that fill up: one instance in, kept or set aside; when every view is in, the study is analysed.

What is analysed follows from what is kept, at any time and in any process: nothing else is remembered. So a repeat, a
restart or two processes at once lead to the same analysis.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from app.adapters.dicom import Identity, check_identity, read_identity
from app.adapters.storage.repository import AnalysisRepository
from app.adapters.storage.study_repository import StudyRepository
from app.adapters.telemetry.metrics import Metrics
from app.core.access import Actor
from app.core.errors import (
    AnalysisError,
    DicomError,
    ImageError,
    MixedStudies,
    NotUltrasound,
    OwnResult,
    UnrecognisedView,
    UploadError,
)
from app.core.pipeline import image_key, question
from app.core.studies import (
    Choice,
    ReceivedImage,
    ReceivedInstance,
    choose_images,
    obstacle,
    received_image,
    standing_images,
)
from app.core.values import Analysis, AnalysisWarning, Crop, View
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
        None of what is no DICOM object, or does not say which.
    refusal : str or None
        Code of why it was not accepted. Not the error: its traceback would keep the whole object in memory.
    """

    identity: Identity | None
    refusal: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StudyState:
    """All that is known of a study.

    Attributes
    ----------
    instances : list of ReceivedInstance
    choices : dict of View to Choice
    obstacle : AnalysisWarning or None
        What keeps the received images from being analysed.
    current : Analysis or None
        The newest analysis of the images that stand for the views now; where they cannot be analysed, or none was
        received one by one, the newest complete analysis, or else the newest.
    analyses : list of Analysis
        Newest first, the current one included.
    """

    instances: list[ReceivedInstance]
    choices: dict[View, Choice]
    obstacle: AnalysisWarning | None
    current: Analysis | None
    analyses: list[Analysis]


class StudyService:
    """Takes instances one by one.

    Parameters
    ----------
    service : AnalysisService
    received : StudyRepository
    metrics : Metrics
    """

    def __init__(self, service: AnalysisService, received: StudyRepository, metrics: Metrics) -> None:
        self.max_instance_bytes = service.max_instance_bytes
        self._service = service
        self._analyses = service.repository
        self._received = received
        self._metrics = metrics

    def receive(self, content: bytes, by: Actor, expected_study: str | None = None) -> Receipt:
        """Keep the crop of an image of a view; set aside what is none; refuse what should be one and cannot be used.

        Parameters
        ----------
        content : bytes
            At most one byte more than the limit: enough to see that it is too large, and what it is.
        by : Actor
        expected_study : str or None
            Study Instance UID that the sender named.

        Raises
        ------
        StorageUnavailable
        """
        try:
            identity = read_identity(content)
        except AnalysisError as error:
            return self._refused(None, error)
        try:
            check_identity(identity)
            _check_study(identity, expected_study)
        except AnalysisError as error:
            return self._refused(identity, error)
        return self._file(identity, content, by)

    def refuse(self, error: AnalysisError) -> Receipt:
        """Refuse what does not even say that it is DICOM."""
        return self._refused(None, error)

    def _file(self, identity: Identity, content: bytes, by: Actor) -> Receipt:
        try:
            self._metrics.received(self._keep(identity, content, by))
        except (NotUltrasound, OwnResult, UnrecognisedView, ImageError) as error:
            self._note(identity, content, error, by, refused=False)
            self._metrics.received("set_aside", error.code)
        except (UploadError, DicomError) as error:
            self._note(identity, content, error, by, refused=True)
            return self._refused(identity, error)
        return Receipt(identity)

    def _keep(self, identity: Identity, content: bytes, by: Actor) -> str:
        """Keep the crop of an image of a view; return what is counted."""
        view = self._service.recognise(content)
        if view is None:
            raise UnrecognisedView(f"No attribute of the object names one of the views {', '.join(View)}.")
        self._service.check_size(content)
        instance = _received(identity, content)
        known = self._known(identity)
        if known and known.image and (known.image.view, known.content_sha256) == (view, instance.content_sha256):
            return "repeated"
        crop = _with_change(self._service.read_crop(content), known)
        self._received.put(replace(instance, image=received_image(view, crop)), by, crop)
        return "stored"

    def _note(self, identity: Identity, content: bytes, error: AnalysisError, by: Actor, *, refused: bool) -> None:
        """Remember why an instance was not used. A damaged copy does not drive out the image that is there."""
        known = self._known(identity)
        if refused and known and known.image:
            return
        reason = AnalysisWarning(error.code, error.detail)
        noted = replace(_received(identity, content), reason=reason, refused=refused)
        if known is None or (known.reason, known.content_sha256) != (reason, noted.content_sha256):
            self._received.put(noted, by)

    def _known(self, identity: Identity) -> ReceivedInstance | None:
        return self._received.find(identity.study_instance_uid, identity.sop_instance_uid)

    def _refused(self, identity: Identity | None, error: AnalysisError) -> Receipt:
        self._metrics.received("refused", error.code)
        return Receipt(identity, error.code)

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
        choices = choose_images(_images(self._received.instances(study_instance_uid)))
        images = standing_images(choices)
        if obstacle(choices) or self._analyses.find(question(images, self._service.bundle.sha256)):
            return
        crops = self._received.crops(images)
        if crops.keys() == images.keys():  # else an image was replaced meanwhile, and whoever did so comes here too
            self._service.analyse_crops(crops, by)

    def forgotten(self, since: datetime | None = None) -> Iterator[str]:
        """Find studies that have every view and no analysis: the process ended in between, or the analysis failed.

        An analysis by an earlier bundle is good enough: a new bundle does not answer the whole archive again.

        Parameters
        ----------
        since : datetime, optional
            Only studies of which an image was received at this time or later.
        """
        after = ""
        while uids := self._received.studies_with_all_views(after=after, since=since):
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
    choices = choose_images(_images(instances))
    hindrance = obstacle(choices)
    current = newest_complete(answered) if hindrance else _answer(analyses, choices, answered)
    return StudyState(instances, choices, hindrance, current, answered)


def newest_complete(answered: Sequence[Analysis]) -> Analysis | None:
    """Take the first complete analysis of a list that begins with the newest, or else the newest."""
    return next((each for each in answered if each.estimate.complete), next(iter(answered), None))


def _answer(
    analyses: AnalysisRepository, choices: Mapping[View, Choice], answered: Sequence[Analysis]
) -> Analysis | None:
    """Find the newest answer to the question that the standing images are, by whichever bundle."""
    images = standing_images(choices)
    bundles = {each.bundle.sha256 for each in answered}
    found = [analyses.find(question(images, sha256)) for sha256 in bundles]
    return max((each for each in found if each), key=lambda each: each.created_at, default=None)


def _images(instances: Iterable[ReceivedInstance]) -> list[ReceivedImage]:
    return [instance.image for instance in instances if instance.image]


def _check_study(identity: Identity, expected_study: str | None) -> None:
    if expected_study not in (None, identity.study_instance_uid):
        raise MixedStudies("The object belongs to another (0020,000D) Study Instance UID than the address names.")


def _received(identity: Identity, content: bytes) -> ReceivedInstance:
    return ReceivedInstance(
        study_instance_uid=identity.study_instance_uid,
        sop_instance_uid=identity.sop_instance_uid,
        sop_class_uid=identity.sop_class_uid,
        content_sha256=hashlib.sha256(content).hexdigest(),
        received_at=datetime.now(UTC),
    )


def _with_change(crop: Crop, known: ReceivedInstance | None) -> Crop:
    """Warn where a SOP Instance UID, which the standard makes the name of one picture, came with two."""
    if known is None or known.image is None or known.image.key.tissue_sha256 == image_key(crop).tissue_sha256:
        return crop
    detail = "Another picture was received before under this SOP Instance UID; this one, received last, is used."
    return replace(crop, warnings=(*crop.warnings, AnalysisWarning("picture_replaced", detail)))
