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
KEPT: Final = (
    *REQUIRED_UIDS,
    *REQUIRED_NUMBERS,
    *(keyword for keyword, _ in VIEW_ATTRIBUTES),
    *(keyword for palette in PALETTES for keyword in palette),
    "SpecificCharacterSet",
    "SOPClassUID",
    "Modality",
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
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)
