"""Which object this is, of any kind, and what an ultrasound image calls itself: before, and without, its pixels."""

from app.adapters.dicom.attributes import Attributes, is_uid, missing
from app.adapters.dicom.checks import check_transfer_syntax, check_ultrasound
from app.adapters.dicom.guard import damaged, quiet, translated
from app.adapters.dicom.limits import DEFAULT_LIMITS, ReadLimits
from app.adapters.dicom.parsing import FileMeta, ParserStream, parse_dataset, parse_file_meta, parse_identity
from app.adapters.dicom.view_texts import read_view_texts
from app.core.errors import AnalysisError, NotDicom
from app.core.objects import Identity, Introduction
from app.core.values import ViewTexts


def read_identity(data: bytes, limits: ReadLimits = DEFAULT_LIMITS) -> Identity:
    """Read which object this is; a data set that cannot be read leaves what the file meta says.

    Parameters
    ----------
    data : bytes
        A DICOM file (PS3.10) of any kind, or its beginning.
    limits : ReadLimits

    Raises
    ------
    NotDicom
        If there is no readable DICOM file.
    MissingAttribute
        If there is no transfer syntax.
    """
    stream = ParserStream(data, limits.max_reads)
    with quiet():
        with translated():
            meta = parse_file_meta(stream)
        return _identity(meta, _identifying_attributes(stream, meta))


def check_identity(identity: Identity) -> None:
    """Let pass what can be put into a study.

    Raises
    ------
    UnsupportedTransferSyntax
        If the data set could not be read for its transfer syntax.
    NotDicom
        If it could not be read because it is damaged.
    MissingAttribute
    """
    named = {
        "SOPClassUID": identity.sop_class_uid,
        "SOPInstanceUID": identity.sop_instance_uid,
        "StudyInstanceUID": identity.study_instance_uid,
    }
    absent = [keyword for keyword, uid in named.items() if not uid]
    if absent:
        check_transfer_syntax(identity.transfer_syntax_uid)
        raise missing(*absent) if identity.is_readable else damaged()


def read_names(data: bytes, limits: ReadLimits = DEFAULT_LIMITS) -> ViewTexts:
    """Read the texts that may name the view of an ultrasound image, whether its pixels can be decoded or not.

    Raises
    ------
    NotUltrasound, OwnResult
        From what `read_identity` reads: an object of another kind is not parsed any further.
    NotDicom
        If the data set is damaged.
    """
    stream = ParserStream(data, limits.max_reads)
    with quiet(), translated():
        meta = parse_file_meta(stream)
        start = stream.tell()
        check_ultrasound(parse_identity(stream, meta.transfer_syntax_uid), meta.sop_class_uid)
        stream.seek(start)
        attributes, _ = parse_dataset(stream, meta.transfer_syntax_uid, limits)
        return read_view_texts(attributes, limits)


def introduce(data: bytes) -> Introduction:
    """Read what an object says of itself. Whatever was sent, this does not fail: it says why nothing is known.

    Parameters
    ----------
    data : bytes
    """
    identity = refusal = None
    try:
        identity = read_identity(data)
        check_identity(identity)
    except AnalysisError as error:
        refusal = error.with_traceback(None)
    return Introduction(identity, refusal, _names_or_refusal(data))


def _names_or_refusal(data: bytes) -> ViewTexts | AnalysisError:
    try:
        return read_names(data)
    except AnalysisError as error:
        return error.with_traceback(None)


def _identifying_attributes(stream: ParserStream, meta: FileMeta) -> Attributes | None:
    try:
        with translated():
            return parse_identity(stream, meta.transfer_syntax_uid)
    except NotDicom:  # damaged, or deflated
        return None


def _identity(meta: FileMeta, attributes: Attributes | None) -> Identity:
    def uid(keyword: str) -> str:
        text = "" if attributes is None else attributes.text(keyword)
        return text if is_uid(text) else ""

    return Identity(
        transfer_syntax_uid=meta.transfer_syntax_uid,
        sop_class_uid=uid("SOPClassUID") or (meta.sop_class_uid if is_uid(meta.sop_class_uid) else ""),
        sop_instance_uid=uid("SOPInstanceUID") or (meta.sop_instance_uid if is_uid(meta.sop_instance_uid) else ""),
        study_instance_uid=uid("StudyInstanceUID"),
        is_readable=attributes is not None,
    )
