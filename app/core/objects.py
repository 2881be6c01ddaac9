"""What an object is, before, and without, its pixels."""

from copy import copy
from dataclasses import dataclass

from app.core.errors import AnalysisError, NotDicom
from app.core.values import ViewTexts


@dataclass(frozen=True, slots=True)
class Identity:
    """How the standard refers to an object; what is not known, or is no UID, is empty.

    Attributes
    ----------
    transfer_syntax_uid, sop_class_uid, sop_instance_uid, study_instance_uid : str
        (0002,0010), (0008,0016), (0008,0018), (0020,000D).
    is_readable : bool
        Whether the data set could be parsed as far as that.
    """

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    is_readable: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Introduction:
    """What an object says of itself.

    Refusals are raised as copies. A raised exception keeps the frames it passed through, and here those frames keep
    the exception and the whole object, until the garbage collector runs.

    Attributes
    ----------
    identity : Identity or None
        None where the content is not a DICOM object, or does not say which one.
    identity_refusal : AnalysisError or None
        Why the object cannot be assigned to a study; None if it can.
    view_texts : ViewTexts or AnalysisError
        The texts that may name the view, or why they could not be read, such as `NotUltrasound`.
    """

    identity: Identity | None
    identity_refusal: AnalysisError | None
    view_texts: ViewTexts | AnalysisError

    def require_identity(self) -> Identity:
        """Return the identity, or raise the reason why the object cannot be assigned to a study."""
        if self.identity is None or self.identity_refusal:
            raise copy(self.identity_refusal) or NotDicom("The object does not say which one it is.")
        return self.identity

    def require_texts(self) -> ViewTexts:
        """Return the texts, or raise the reason why they could not be read."""
        if isinstance(self.view_texts, AnalysisError):
            raise copy(self.view_texts)
        return self.view_texts
