"""The keywords of everything that is read of an object, in one place; whatever else it holds is skipped unread."""

from collections.abc import Mapping
from typing import Final

from app.core.values import View

REQUIRED_UIDS: Final = ("SOPInstanceUID", "StudyInstanceUID")
REQUIRED_NUMBERS: Final = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
)
IMAGE_ATTRIBUTES: Final = (
    "ViewCodeSequence",
    "ViewName",
    "StageName",
    "StageCodeSequence",
    "ImageComments",
    "AcquisitionProtocolDescription",
    "PrimaryAnatomicStructureSequence",
    "AnatomicRegionSequence",
)
"""What may name the view of one image (PS3.3 C.8.5.6), most telling first; of a sequence, meanings and codes."""
EXAMINATION_ATTRIBUTES: Final = (
    "ProtocolName",
    "PerformedProtocolCodeSequence",
    "AcquisitionProtocolName",
    "SeriesDescription",
    "PerformedProcedureStepDescription",
)
"""What describes a series or the whole examination, and at some sites the view.

Attributes that are the same on every image of a study by definition, such as (0008,1030) Study Description, cannot tell
its images apart.
"""
CODED_VIEWS: Final[Mapping[tuple[str, str], View]] = {
    ("SCT", "8993003"): View.HEPATIC_VEINS,  # Hepatic vein
    ("SRT", "T-48720"): View.HEPATIC_VEINS,
    ("SNM3", "T-48720"): View.HEPATIC_VEINS,
    ("SCT", "73931004"): View.RIGHT_PORTAL_VEIN,  # Right main branch of portal vein
    ("SRT", "T-48813"): View.RIGHT_PORTAL_VEIN,
    ("SNM3", "T-48813"): View.RIGHT_PORTAL_VEIN,
}
"""Scheme and code to the view that it names in any language (PS3.16 CID 4 and 12114; SRT is the older form of SCT).

A code of one hepatic vein, of the portal vein as a whole, of liver or of kidney names none of the views.
"""
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
    "TimezoneOffsetFromUTC",
)
"""Of the patient and the study: what every object of a study must agree on (PS3.3 C.7.1.1, C.7.2.1 and C.12.1.1)."""
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
    *IMAGE_ATTRIBUTES,
    *EXAMINATION_ATTRIBUTES,
    "ImageLaterality",
    "Laterality",
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
