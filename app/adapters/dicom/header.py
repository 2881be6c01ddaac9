"""Everything of one object but its samples: the walk through the data set, each check as early as it can be made."""

from dataclasses import dataclass

from app.adapters.dicom.attributes import Attributes
from app.adapters.dicom.checks import check_required, check_transfer_syntax, check_ultrasound
from app.adapters.dicom.frames import choose_frame, cut_frame, frame_warnings
from app.adapters.dicom.grey_scale import Modality, Voi, read_modality, read_voi
from app.adapters.dicom.guard import quiet, translated
from app.adapters.dicom.image_pixel import read_pixel_format
from app.adapters.dicom.limits import ReadLimits
from app.adapters.dicom.origin import read_origin
from app.adapters.dicom.palette import Palette, read_palette
from app.adapters.dicom.parsing import ParserStream, parse_dataset, parse_file_meta
from app.adapters.dicom.pixel_format import PixelFormat
from app.adapters.dicom.regions import read_regions, says_flow
from app.adapters.dicom.view_texts import read_view_texts
from app.core.values import AnalysisWarning, Content, Origin, UltrasoundRegion, ViewTexts


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What turns samples into what is displayed, as far as the photometric interpretation asks for it.

    Attributes
    ----------
    modality : Modality
    voi : Voi
        Both of grey pictures only.
    palette : Palette
        (0028,1201 to 1203); empty unless the photometric interpretation is PALETTE COLOR.
    warnings : tuple of AnalysisWarning
    """

    modality: Modality = (1.0, 0.0)
    voi: Voi = None
    palette: Palette = ()
    warnings: tuple[AnalysisWarning, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What is taken of one object, as plain values.

    Attributes
    ----------
    frame_number : int
        The chosen frame, counted from 1.
    frame : bytes or memoryview
        The chosen frame as it is coded.
    warnings : tuple of AnalysisWarning
        What was noticed.
    """

    transfer_syntax_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    pixel_format: PixelFormat
    frame_number: int
    number_of_frames: int
    frame: Content
    tables: Tables
    regions: tuple[UltrasoundRegion, ...]
    is_flow_image: bool
    view_texts: ViewTexts
    scanner_model: str
    origin: Origin
    warnings: tuple[AnalysisWarning, ...]


def read_header(data: bytes, limits: ReadLimits, frame_number: int | None = None) -> Header:
    """Read everything but the samples; whatever pydicom says or raises stays inside."""
    with quiet(), translated():
        return _walk(data, limits, frame_number)


def _walk(data: bytes, limits: ReadLimits, frame_number: int | None) -> Header:
    stream = ParserStream(data, limits.max_reads)
    meta = parse_file_meta(stream)
    check_transfer_syntax(meta.transfer_syntax_uid)
    attributes, found = parse_dataset(stream, meta.transfer_syntax_uid, limits)
    check_ultrasound(attributes, meta.sop_class_uid)
    element = check_required(attributes, found)
    pixel_format = read_pixel_format(attributes, limits)
    number, count = choose_frame(attributes, limits, frame_number)
    frame, warnings = cut_frame(element, attributes, pixel_format, number, count, limits)
    tables = _read_tables(attributes, pixel_format)
    origin, remarks = read_origin(attributes, limits)
    return Header(
        transfer_syntax_uid=meta.transfer_syntax_uid,
        sop_instance_uid=attributes.text("SOPInstanceUID"),
        study_instance_uid=attributes.text("StudyInstanceUID"),
        pixel_format=pixel_format,
        frame_number=number,
        number_of_frames=count,
        frame=frame,
        tables=tables,
        regions=read_regions(attributes, limits),
        is_flow_image=says_flow(attributes),
        view_texts=read_view_texts(attributes, limits),
        scanner_model=attributes.words("ManufacturerModelName")[: limits.max_text_length],
        origin=origin,
        warnings=(*frame_warnings(attributes), *warnings, *tables.warnings, *remarks),
    )


def _read_tables(attributes: Attributes, pixel_format: PixelFormat) -> Tables:
    bits = pixel_format.bits_stored
    if pixel_format.photometric_interpretation == "PALETTE COLOR":
        return Tables(palette=read_palette(attributes, bits))
    if pixel_format.samples_per_pixel != 1:
        return Tables()
    modality = read_modality(attributes, bits)
    voi, warnings = read_voi(attributes, bits, modality)
    return Tables(modality, voi, warnings=warnings)
