"""Checks of a data set: a known transfer syntax, an ultrasound object, every required attribute."""

from typing import Final

from app.adapters.dicom.attributes import Attributes, is_uid, missing, uid_name
from app.adapters.dicom.codecs import DECODERS
from app.adapters.dicom.keywords import REQUIRED_NUMBERS, REQUIRED_UIDS
from app.adapters.dicom.pixel_element import PixelElement, cut_short
from app.adapters.dicom.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from app.core.errors import NotUltrasound, OwnResult, UnsupportedTransferSyntax

ULTRASOUND_CLASSES: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.6.1",  # Ultrasound Image Storage
        "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound Image Storage (Retired)
        "1.2.840.10008.5.1.4.1.1.3.1",  # Ultrasound Multi-frame Image Storage
        "1.2.840.10008.5.1.4.1.1.3",  # Ultrasound Multi-frame Image Storage (Retired)
    }
)
SECONDARY_CAPTURE_CLASSES: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture Image Storage
        "1.2.840.10008.5.1.4.1.1.7.2",  # Multi-frame Grayscale Byte Secondary Capture Image Storage
        "1.2.840.10008.5.1.4.1.1.7.3",  # Multi-frame Grayscale Word Secondary Capture Image Storage
        "1.2.840.10008.5.1.4.1.1.7.4",  # Multi-frame True Color Secondary Capture Image Storage
    }
)


OWN_MANUFACTURER: Final = "liver-pdff"
"""(0008,0070) of the result objects that this service makes: a bridge sends them back with the rest of the study."""


def check_transfer_syntax(uid: str) -> None:
    """Let pass what has a decoder."""
    if uid in DECODERS:
        return
    raise UnsupportedTransferSyntax(
        f"(0002,0010) Transfer Syntax UID is {_with_name(uid)}, which is not read. Ask the archive for the image in "
        f"{uid_name(EXPLICIT_VR_LITTLE_ENDIAN)} ({EXPLICIT_VR_LITTLE_ENDIAN}), or compressed in "
        "JPEG 2000 Image Compression (Lossless Only); of a video, export a still image.",
        accepted_transfer_syntaxes=list(DECODERS),
    )


def _with_name(uid: str) -> str:
    name = uid_name(uid)
    return f"{uid} ({name})" if is_uid(uid) and name != uid else name


def check_ultrasound(attributes: Attributes, media_class: str) -> None:
    """Let pass ultrasound, and captures of ultrasound; an object without a class is of its file's class."""
    sop_class = attributes.text("SOPClassUID") or media_class
    if not sop_class:
        raise missing("SOPClassUID")
    if attributes.text("Manufacturer") == OWN_MANUFACTURER and sop_class not in ULTRASOUND_CLASSES:
        raise OwnResult("The object is a result of this service. Send the images that it was made from.")
    is_capture = sop_class in SECONDARY_CAPTURE_CLASSES and attributes.text("Modality") == "US"
    if sop_class not in ULTRASOUND_CLASSES and not is_capture:
        raise NotUltrasound(
            f"(0008,0016) SOP Class UID is {uid_name(sop_class)}: send Ultrasound (Multi-frame) Image Storage, or "
            "Secondary Capture with (0008,0060) Modality US."
        )


def check_required(attributes: Attributes, element: PixelElement | None) -> PixelElement:
    """List everything that is missing at once; return the pixel data, which is there."""
    if element is None and not len(attributes):
        raise cut_short()  # pydicom drops all it has read when a sequence ends in mid-air
    absent = [keyword for keyword in REQUIRED_UIDS if not is_uid(attributes.text(keyword))]
    absent += [keyword for keyword in REQUIRED_NUMBERS if attributes.integer(keyword) is None]
    absent += [] if attributes.text("PhotometricInterpretation") else ["PhotometricInterpretation"]
    absent += [] if element and element.length else ["PixelData"]
    if absent or element is None:
        raise missing(*absent)
    return element
