"""What the objects share: who made them, their identity, and their bytes."""

import hashlib
import uuid
from io import BytesIO
from itertools import product
from typing import Final

from highdicom import UID, ContributingEquipment, SOPClass
from highdicom.sr import CodedConcept
from pydicom import dcmwrite

from app import __version__
from app.adapters.dicom.checks import OWN_MANUFACTURER
from app.adapters.dicom_results.origins import content_moment, file_under_study
from app.core.values import Analysis

_NAMESPACE: Final = uuid.UUID("6f7c51d4-2c5c-5d3e-9e0b-7a1d0c3b9a10")
_SERIES_NUMBERS: Final = {"SR": 9701, "OT": 9702}
_PROCESSING_EQUIPMENT: Final = CodedConcept("109102", "DCM", "Processing Equipment")


def derived_uid(*words: str) -> UID:
    """Derive a UID from words: the same words, the same UID (PS3.5 B.2: 2.25 and a UUID)."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, chr(0).join(words)).int}")


def header(analysis: Analysis, modality: str, number: int) -> dict[str, object]:
    """Arguments that every object's constructor takes; the instance's own UID is given by `finished`."""
    study = analysis.estimate.study_instance_uid
    return {
        "series_instance_uid": derived_uid("series", study, modality),
        "series_number": _SERIES_NUMBERS[modality],
        "sop_instance_uid": derived_uid("unnamed"),
        "instance_number": number,
        "manufacturer": OWN_MANUFACTURER,
        "manufacturer_model_name": f"{analysis.bundle.name} {analysis.bundle.version}",
        "software_versions": __version__,
        "device_serial_number": analysis.bundle.sha256,
        "contributing_equipment": [_equipment(analysis)],
    }


def _equipment(analysis: Analysis) -> ContributingEquipment:
    return ContributingEquipment(
        OWN_MANUFACTURER,
        _PROCESSING_EQUIPMENT,
        manufacturer_model_name=f"{analysis.bundle.name} {analysis.bundle.version}",
        software_versions=__version__,
        device_serial_number=analysis.bundle.sha256,
        contribution_description="Estimate of liver fat from ultrasound by a neural network",
    )


def finished(dataset: SOPClass, analysis: Analysis) -> bytes:
    """File an object under its study, date it, and name it after all that it says.

    The SOP Instance UID is a hash of the rest: the same answer makes the same object, and two objects that differ in
    anything never share a UID.

    Returns
    -------
    bytes
        A DICOM file (PS3.10), Explicit VR Little Endian.
    """
    file_under_study(dataset, analysis)
    _stop_clocks(dataset)
    for keyword, digits in zip(("ContentDate", "ContentTime"), content_moment(analysis), strict=True):
        setattr(dataset, keyword, digits)
    name = derived_uid("instance", hashlib.sha256(_bytes(dataset)).hexdigest())
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = name
    return _bytes(dataset)


def _stop_clocks(dataset: SOPClass) -> None:
    """Take out the times that highdicom reads from the clock: all are optional."""
    keywords = ("InstanceCreationDate", "InstanceCreationTime", "DateOfSecondaryCapture", "TimeOfSecondaryCapture")
    items = [dataset, *dataset.ContributingEquipmentSequence]
    for item, keyword in product(items, (*keywords, "ContributionDateTime")):
        if keyword in item:
            delattr(item, keyword)


def _bytes(dataset: SOPClass) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
