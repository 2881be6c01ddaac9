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

    Its refusals are raised as copies: one that is raised holds the frames that it passed through, and with them itself
    and the whole object, until the garbage collector comes.

    Attributes
    ----------
    identity : Identity or None
        None where the content is not a DICOM object, or does not say which one.
    identity_refusal : AnalysisError or None
        Why it cannot be put into a study.
    view_texts : ViewTexts or AnalysisError
        Of an ultrasound image, the texts that may name its view; of anything else, why there are none.
    """

    identity: Identity | None
    identity_refusal: AnalysisError | None
    view_texts: ViewTexts | AnalysisError

    def require_identity(self) -> Identity:
        """Give the identity of an object that can be put into a study, or raise why it cannot."""
        if self.identity is None or self.identity_refusal:
            raise copy(self.identity_refusal) or NotDicom("The object does not say which one it is.")
        return self.identity

    def require_texts(self) -> ViewTexts:
        """Give the texts of an ultrasound image, or raise why there are none."""
        if isinstance(self.view_texts, AnalysisError):
            raise copy(self.view_texts)
        return self.view_texts
