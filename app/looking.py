"""What one instance is, before anything is kept of it: an image that may show a view, something else, or unusable."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from app.adapters.reading.allowance import Allowance
from app.core.choice import received_image
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
from app.core.evidence import Evidence
from app.core.objects import Identity, Introduction
from app.core.studies import ReceivedInstance
from app.core.unrecognised import why_unrecognised
from app.core.values import AnalysisWarning, Content, Crop
from app.service import AnalysisService

Known = Callable[[Identity], ReceivedInstance | None]
"""Finds what is kept of an instance."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was seen of one instance.

    Attributes
    ----------
    identity : Identity or None
        None where the content is not a DICOM object, or does not say which one.
    instance : ReceivedInstance or None
        What is to be kept; None of what cannot be filed under a study.
    crop : Crop or None
        Of an image that shows, or may show, a view.
    refusal : str or None
        Code of why it is not accepted. Not the error: its traceback would keep the whole object in memory.
    is_readable : bool
        False if its pixels could not be read: such a copy does not take the place of an image.
    content : bytes or memoryview
        Of a repeat, for which `instance` is what was kept before: should that have changed, it is looked at again.
    """

    identity: Identity | None
    instance: ReceivedInstance | None = None
    crop: Crop | None = None
    refusal: str | None = None
    is_readable: bool = True
    content: Content = b""


def look(
    service: AnalysisService, known: Known, content: Content, expected_study: str | None, allowance: Allowance
) -> Seen:
    """See what an instance is, and crop what may be an image of a view. Several may be looked at at once.

    Parameters
    ----------
    service : AnalysisService
    known : callable
    content : bytes or memoryview
        At most one byte more than the limit: enough to see that it is too large, and what it is.
    expected_study : str or None
        Study Instance UID that the sender named.
    allowance : Allowance
        Of the request.

    Raises
    ------
    StorageUnavailable
    """
    identity = None
    try:
        introduction = service.introduce(content, allowance)
        identity = introduction.identity
        _check_study(introduction.require_identity(), expected_study)
    except AnalysisError as error:
        return Seen(identity, refusal=error.code)
    return _look(service, known, introduction, content, allowance)


def _look(
    service: AnalysisService, known: Known, introduction: Introduction, content: Content, allowance: Allowance
) -> Seen:
    identity = introduction.require_identity()
    instance = _received(identity, content)
    try:
        texts = introduction.require_texts()
    except (NotUltrasound, OwnResult) as error:
        return Seen(identity, replace(instance, reason=_reason(error)))
    except DicomError as error:
        return _refused(identity, instance, error)
    evidence = service.gather(texts, identity.study_instance_uid)
    instance = replace(instance, evidence=evidence, looked_by=service.looked_by)
    before = known(identity)
    if before and _is_repeat(before, instance):
        return Seen(identity, before, content=content)
    return _read(service, identity, instance, evidence, content, allowance)


def _read(
    service: AnalysisService,
    identity: Identity,
    instance: ReceivedInstance,
    evidence: Evidence,
    content: Content,
    allowance: Allowance,
) -> Seen:
    try:
        service.check_size(content)
        crop = service.read_crop(content, allowance)
    except ImageError as error:
        return Seen(identity, replace(instance, reason=_reason(error)))
    except (UploadError, DicomError) as error:
        if evidence.possible_view:
            return _refused(identity, instance, error)
        return Seen(identity, _unrecognised(instance, evidence, was_refused=True), is_readable=False)
    evidence = replace(evidence, screen=crop.screen)
    if not evidence.possible_view:
        return Seen(identity, _unrecognised(instance, evidence))
    return Seen(identity, replace(instance, evidence=evidence, image=received_image(crop)), crop)


def _refused(identity: Identity, instance: ReceivedInstance, error: AnalysisError) -> Seen:
    return Seen(
        identity,
        replace(instance, reason=_reason(error), refused=True),
        refusal=error.code,
        is_readable=False,
    )


def _unrecognised(instance: ReceivedInstance, evidence: Evidence, *, was_refused: bool = False) -> ReceivedInstance:
    why = why_unrecognised(evidence, was_refused=was_refused)
    return replace(instance, evidence=evidence, reason=AnalysisWarning(UnrecognisedView.code, why))


def _reason(error: AnalysisError) -> AnalysisWarning:
    return AnalysisWarning(error.code, error.detail)


def _is_repeat(known: ReceivedInstance, instance: ReceivedInstance) -> bool:
    """Tell whether the same bytes were looked at before in the same way, and all there is to look at was."""
    said = known.evidence
    return (
        said is not None
        and (said.image is not None or said.screen is not None)
        and (known.content_sha256, known.looked_by) == (instance.content_sha256, instance.looked_by)
        and not known.refused
    )


def _check_study(identity: Identity, expected_study: str | None) -> None:
    if expected_study not in (None, identity.study_instance_uid):
        raise MixedStudies("The object belongs to another (0020,000D) Study Instance UID than the address names.")


def _received(identity: Identity, content: Content) -> ReceivedInstance:
    return ReceivedInstance(
        study_instance_uid=identity.study_instance_uid,
        sop_instance_uid=identity.sop_instance_uid,
        sop_class_uid=identity.sop_class_uid,
        content_sha256=hashlib.sha256(content).hexdigest(),
        received_at=datetime.now(UTC),
    )
