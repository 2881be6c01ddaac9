"""The error tree. Every refusal the service can give stands here; its HTTP status stands in ``app.api.problems``.

::

    AnalysisError                 code = snake_case class name: stable, in the response and the metric label
    ├─ UploadError     EmptyUpload · UploadTooLarge · UploadTimeout · UnsupportedMediaType · MalformedMultipart
    ├─ DicomError      NotDicom · NotUltrasound · OwnResult · UnsupportedTransferSyntax · MissingAttribute ·
    │                  UndecodablePixels · ReadingTimeSpent
    ├─ StudyError      MixedStudies · MixedPatients · DuplicateInstance · DuplicateView · UnrecognisedView ·
    │                  IncompleteStudy
    ├─ ImageError      NoTissue · ColourDoppler · MultipleTissueRegions
    ├─ InferenceError  InferenceFailed · NonFiniteOutput
    ├─ AccessError     Unauthenticated · Forbidden · IssuerUnavailable
    ├─ ServiceError    Overloaded · StorageUnavailable · UnknownResource · InvalidRequest · InvalidHost ·
    │                  NotAcceptable · InternalError
    └─ BundleError     BundleUnreadable · ChecksumMismatch · SignatureMismatch · GraphMismatch ·
                       GoldenMismatch · ProviderUnavailable

Messages tell the sender what to change. They never contain a patient attribute, a text read from the object or a
file name: what is wrong is said by DICOM tag and by the upload's own field name.
"""

import re
from typing import ClassVar

from app.core.scanners import OTHER


class AnalysisError(Exception):
    """Something the sender, or the operator, has to change.

    Parameters
    ----------
    detail : str
        One sentence that says what to change.
    facts : object
        Machine-readable members of the problem answer, such as ``missing_views``.

    Attributes
    ----------
    code : str
        Stable name of the refusal: the class name in snake case.
    part : str or None
        The upload's field name (and number) that the refusal is about, set by whoever knows it.
    also : tuple of AnalysisError
        Everything else that is wrong with the same request, so that one answer lists it all.
    """

    code: ClassVar[str] = "analysis_error"

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, detail: str, **facts: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts
        self.part: str | None = None
        self.also: tuple[AnalysisError, ...] = ()


class UploadError(AnalysisError):
    """The HTTP parts themselves are unusable."""


class EmptyUpload(UploadError):
    """No file was sent, or a part has no bytes."""


class UploadTooLarge(UploadError):
    """A part or the whole body is larger than the service accepts."""


class UploadTimeout(UploadError):
    """The body did not arrive in time."""


class UnsupportedMediaType(UploadError):
    """The body is not of the media type that the call takes."""


class MalformedMultipart(UploadError):
    """The body's parts cannot be told apart, or it ends in the middle of one."""


class DicomError(AnalysisError):
    """One object cannot be read as an ultrasound image."""


class NotDicom(DicomError):
    """The bytes are not a DICOM file (PS3.10)."""


class NotUltrasound(DicomError):
    """The object is DICOM, but not a two-dimensional ultrasound image."""


class OwnResult(DicomError):
    """The object was made by this service: an answer is no question."""


class UnsupportedTransferSyntax(DicomError):
    """The transfer syntax is not on the allow-list."""


class MissingAttribute(DicomError):
    """An attribute that the service needs is missing or empty."""


class UndecodablePixels(DicomError):
    """The pixel data is damaged, cut short or contradicts its description."""


class ReadingTimeSpent(DicomError):
    """Other objects of the same request took too long to read, so this one was not read."""


class StudyError(AnalysisError):
    """The objects are fine one by one, but do not make one study of four views."""


class MixedStudies(StudyError):
    """The objects belong to more than one study."""


class MixedPatients(StudyError):
    """The objects of one study name different patients."""


class DuplicateInstance(StudyError):
    """The same picture was sent for two views."""


class DuplicateView(StudyError):
    """Two objects claim the same view."""


class UnrecognisedView(StudyError):
    """It cannot be told which view an object shows."""


class IncompleteStudy(StudyError):
    """One or more of the four views is missing."""


class ImageError(AnalysisError):
    """The picture does not show what the method needs.

    Attributes
    ----------
    scanner : str
        What the object calls the scanner that it comes from; behind `app.service`, what the operator calls it.
    """

    scanner: str = OTHER


class NoTissue(ImageError):
    """No B-mode tissue was found in the picture."""


class ColourDoppler(ImageError):
    """The picture carries a colour flow overlay."""


class MultipleTissueRegions(ImageError):
    """The picture shows several tissue panels."""


class InferenceError(AnalysisError):
    """The computation failed: a fault of the service, not of the sender."""


class InferenceFailed(InferenceError):
    """The backbone could not be run."""


class NonFiniteOutput(InferenceError):
    """The computation gave a value that is not a finite number."""


class AccessError(AnalysisError):
    """Who asks may not, or cannot be told.

    Attributes
    ----------
    actor : str
        Who asks, as far as known: for the audit trail, not for the answer.
    """

    actor: str = ""


class Unauthenticated(AccessError):
    """The request brings no key or token that is known and valid."""


class Forbidden(AccessError):
    """The key or token does not allow this, or the request comes from another site's page."""


class IssuerUnavailable(AccessError):
    """The issuer of tokens does not answer, so a token cannot be checked."""


class ServiceError(AnalysisError):
    """The service cannot answer this now, or has nothing under that name."""


class Overloaded(ServiceError):
    """More studies are being analysed than the service takes on at once."""


class StorageUnavailable(ServiceError):
    """The database does not answer."""


class UnknownResource(ServiceError):
    """Nothing is stored under this address."""


class InvalidRequest(ServiceError):
    """A parameter of the request is not what the interface says."""


class InvalidHost(ServiceError):
    """The Host header, or what a trusted proxy says of it, is not a host name with an optional port."""


class NotAcceptable(ServiceError):
    """The client accepts no media type that the call answers in."""


class InternalError(ServiceError):
    """Something failed that nobody foresaw."""


class BundleError(AnalysisError):
    """The bundle cannot be trusted: the service refuses to be ready."""


class BundleUnreadable(BundleError):
    """A file of the bundle is missing or does not say what it must."""


class ChecksumMismatch(BundleError):
    """A file of the bundle differs from what its manifest promises."""


class SignatureMismatch(BundleError):
    """The bundle is not signed with the key that this service trusts."""


class GraphMismatch(BundleError):
    """The ONNX graph's names or shapes are not the contract's."""


class GoldenMismatch(BundleError):
    """The bundle does not reproduce its own golden answer."""


class ProviderUnavailable(BundleError):
    """Nothing installed can compute the bundle on what the settings ask for."""
