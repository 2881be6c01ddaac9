"""The keywords of everything that is read of an object, in one place; whatever else it holds is skipped unread."""

from typing import Final

REQUIRED_UIDS: Final = ("SOPInstanceUID", "StudyInstanceUID")
REQUIRED_NUMBERS: Final = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
)
VIEW_ATTRIBUTES: Final = (
    ("ViewCodeSequence", "CodeMeaning"),
    ("ViewName", None),
    ("StageName", None),
    ("ProtocolName", None),
    ("PerformedProtocolCodeSequence", "CodeMeaning"),
    ("SeriesDescription", None),
    ("ImageComments", None),
)
"""What may name the view, most telling first; of a sequence, the member of each item."""
PALETTES: Final = tuple(
    (
        f"{colour}PaletteColorLookupTableDescriptor",
        f"{colour}PaletteColorLookupTableData",
        f"Segmented{colour}PaletteColorLookupTableData",
    )
    for colour in ("Red", "Green", "Blue")
)
"""Descriptor, plain data and segmented data of each colour."""
STUDY_ATTRIBUTES: Final = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyDescription",
)
"""Of the patient and the study: what every object of a study must agree on (PS3.3 C.7.1.1 and C.7.2.1)."""
TIMES: Final = (
    ("AcquisitionDateTime",),
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"),
)
"""When the image was taken, most exact first."""
IDENTITY: Final = ("SOPClassUID", "SOPInstanceUID", "Modality", "Manufacturer", "StudyInstanceUID")
"""Of any object, ultrasound or not: which one it is, of which kind, and of which study."""
KEPT: Final = (
    *REQUIRED_UIDS,
    *REQUIRED_NUMBERS,
    *(keyword for keyword, _ in VIEW_ATTRIBUTES),
    *(keyword for palette in PALETTES for keyword in palette),
    *STUDY_ATTRIBUTES,
    *(keyword for names in TIMES for keyword in names),
    "SeriesInstanceUID",
    "InstanceNumber",
    "SpecificCharacterSet",
    "SOPClassUID",
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "HighBit",
    "NumberOfFrames",
    "RepresentativeFrameNumber",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenter",
    "WindowWidth",
    "SequenceOfUltrasoundRegions",
    "ImageType",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)
