"""The answer to STOW-RS: the Store Instances Response Module (PS3.18 Annex I) as application/dicom+json."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi.responses import JSONResponse

from app.core import errors
from app.core.objects import Identity
from app.studies import Receipt

MEDIA_TYPE: Final = "application/dicom+json"

PROCESSING_FAILURE: Final = 0x0110
OUT_OF_RESOURCES: Final = 0xA700
DOES_NOT_MATCH_SOP_CLASS: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000
TRANSFER_SYNTAX_NOT_SUPPORTED: Final = 0xC122

FAILURE_REASON: Mapping[str, int] = {
    errors.NotDicom.code: CANNOT_UNDERSTAND,
    errors.UndecodablePixels.code: CANNOT_UNDERSTAND,
    errors.UnsupportedMediaType.code: CANNOT_UNDERSTAND,
    errors.MissingAttribute.code: DOES_NOT_MATCH_SOP_CLASS,
    errors.MixedStudies.code: DOES_NOT_MATCH_SOP_CLASS,
    errors.UnsupportedTransferSyntax.code: TRANSFER_SYNTAX_NOT_SUPPORTED,
    errors.ReadingTimeSpent.code: OUT_OF_RESOURCES,
    errors.UploadTooLarge.code: OUT_OF_RESOURCES,
}
"""(0008,1197) Failure Reason of each refusal (PS3.18 I.2.2); of any other, `PROCESSING_FAILURE`."""

_REFERENCED_SOP_CLASS_UID: Final = "00081150"
_REFERENCED_SOP_INSTANCE_UID: Final = "00081155"
_RETRIEVE_URL: Final = "00081190"
_FAILURE_REASON: Final = "00081197"
_FAILED_SOP_SEQUENCE: Final = "00081198"
_REFERENCED_SOP_SEQUENCE: Final = "00081199"
_OTHER_FAILURES_SEQUENCE: Final = "0008119A"

Attribute = dict[str, Any]
_NOT_RETRIEVABLE: Attribute = {"vr": "UR"}
"""The crop is kept, not the object: type 2 attributes without a value."""


def store_response(receipts: Sequence[Receipt]) -> JSONResponse:
    """Answer what became of every instance, in the order in which they came.

    Parameters
    ----------
    receipts : sequence of Receipt

    Returns
    -------
    JSONResponse
        200 if every instance was accepted, 409 if none was, else 202 (PS3.18 10.5.3).
    """
    refused = sum(receipt.refusal is not None for receipt in receipts)
    status = 200 if not refused else 409 if refused == len(receipts) else 202
    return JSONResponse(store_instances_response(receipts), status, media_type=MEDIA_TYPE)


def store_instances_response(receipts: Sequence[Receipt]) -> dict[str, Attribute]:
    """Write the module. A sequence is there only if it has items."""
    accepted = [_accepted(each.identity) for each in receipts if each.identity and not each.refusal]
    failed = [_failed(each.identity, each.refusal) for each in receipts if each.identity and each.refusal]
    other = [_reason(each.refusal) for each in receipts if each.identity is None and each.refusal]
    sequences = {_FAILED_SOP_SEQUENCE: failed, _REFERENCED_SOP_SEQUENCE: accepted, _OTHER_FAILURES_SEQUENCE: other}
    return {
        _RETRIEVE_URL: _NOT_RETRIEVABLE,
        **{tag: {"vr": "SQ", "Value": items} for tag, items in sequences.items() if items},
    }


def _accepted(identity: Identity) -> dict[str, Attribute]:
    return {**_reference(identity), _RETRIEVE_URL: _NOT_RETRIEVABLE}


def _failed(identity: Identity, refusal: str) -> dict[str, Attribute]:
    return {**_reference(identity), **_reason(refusal)}


def _reference(identity: Identity) -> dict[str, Attribute]:
    return {
        _REFERENCED_SOP_CLASS_UID: _uid(identity.sop_class_uid),
        _REFERENCED_SOP_INSTANCE_UID: _uid(identity.sop_instance_uid),
    }


def _uid(uid: str) -> Attribute:
    return {"vr": "UI", "Value": [uid]} if uid else {"vr": "UI"}


def _reason(refusal: str) -> dict[str, Attribute]:
    return {_FAILURE_REASON: {"vr": "US", "Value": [FAILURE_REASON.get(refusal, PROCESSING_FAILURE)]}}
