"""`read_instance`: the whole walk from bytes to one ultrasound image."""

from app.adapters.dicom.codecs import decode_frame
from app.adapters.dicom.display import displayed
from app.adapters.dicom.header import Header, read_header
from app.adapters.dicom.limits import DEFAULT_LIMITS, ReadLimits
from app.core.errors import AnalysisError, UndecodablePixels
from app.core.values import AnalysisWarning, DicomInstance


def read_instance(
    data: bytes, limits: ReadLimits = DEFAULT_LIMITS, *, frame_number: int | None = None
) -> DicomInstance:
    """Read one frame of one ultrasound object.

    Parameters
    ----------
    data : bytes
        A DICOM file (PS3.10): preamble, file meta, dataset.
    limits : ReadLimits
    frame_number : int, optional
        One of the object's frames, counted from 1, instead of the one that represents it.

    Returns
    -------
    DicomInstance
        Its pixels are always uint8: (rows, columns) for monochrome, (rows, columns, 3) RGB for colour.

    Raises
    ------
    NotDicom
        If there is no readable DICOM file.
    UnsupportedTransferSyntax
        If (0002,0010) Transfer Syntax UID is not a key of `codecs.DECODERS`.
    NotUltrasound
        If the SOP class is neither ultrasound nor a secondary capture of modality US.
    MissingAttribute
        If required attributes are missing, empty or invalid; ``missing_attributes`` lists their keywords.
    UndecodablePixels
        If the pixel data is damaged, cut short, too large or contradicts its description.
    """
    try:
        return _read(data, limits, frame_number)
    except AnalysisError:
        raise
    except Exception as exc:  # named again as a refusal, with its cause
        # The last resort: the bytes come from anywhere, and the parsers' error types are not a contract (fuzzing
        # found struct.error, NotImplementedError, BytesLengthException). The sender gets an answer either way.
        raise UndecodablePixels("The object cannot be read: export it again from its source.") from exc


def _read(data: bytes, limits: ReadLimits, frame_number: int | None) -> DicomInstance:
    header = read_header(data, limits, frame_number)
    decoded = decode_frame(header.transfer_syntax_uid, header.frame, header.pixel_format)
    return DicomInstance(
        sop_instance_uid=header.sop_instance_uid,
        study_instance_uid=header.study_instance_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        pixels=displayed(decoded, header),
        frame_number=header.frame_number,
        number_of_frames=header.number_of_frames,
        regions=header.regions,
        is_flow_image=header.is_flow_image,
        view_texts=header.view_texts,
        scanner_model=header.scanner_model,
        origin=header.origin,
        decoder=decoded.decoder,
        warnings=(*_frame_warnings(header), *decoded.warnings, *header.warnings),
    )


def _frame_warnings(header: Header) -> tuple[AnalysisWarning, ...]:
    if header.number_of_frames == 1:
        return ()
    detail = f"Frame {header.frame_number} of {header.number_of_frames} was used."
    return (AnalysisWarning("multi_frame", detail),)
