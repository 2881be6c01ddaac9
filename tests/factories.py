"""DICOM objects in memory, in the words of the domain. The same arguments give the same bytes and the same UIDs.

Nothing here goes through ``app.adapters``: pixels are compressed by pydicom or imagecodecs, colours converted by
Pillow, so that the reader is tested against somebody else's idea of the standard.
"""

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from io import BytesIO
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.pixels.encoders.base import RLELosslessEncoder
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    JPEG2000,
    UID,
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from app.core.values import View

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

VIEW_NAMES: Mapping[View, str] = {
    View.HEPATIC_VEINS: "Hepatic veins",
    View.RIGHT_PORTAL_VEIN: "Right portal vein",
    View.RIGHT_POSTERIOR_PORTAL_VEIN: "Right posterior portal vein",
    View.LIVER_KIDNEY: "Liver kidney",
}
"""What a sonographer would type for each view."""

NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
YBR = ("YBR_FULL", "YBR_FULL_422")
COLOUR = ("RGB", *YBR, "YBR_ICT", "YBR_RCT")
PATIENT_NAME = "Zebedee^Quixote"
"""Stands in every object, so that a test can prove that it stands in no answer."""


class Region(NamedTuple):
    """One ultrasound region, corners inclusive as the standard writes them; 2D tissue unless said otherwise."""

    x0: int
    y0: int
    x1: int
    y1: int
    spatial_format: int = 1
    data_type: int = 1


def uid(*words: object) -> str:
    """Derive a UID from words (PS3.5 B.2): the same words, the same UID."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def sector(rows: int = 480, columns: int = 640, seed: int = 0) -> NDArray[np.uint8]:
    """Draw a curved-array sector of speckle that fades with depth, on black.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
    """
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    depth = np.hypot(x - (columns - 1) / 2, y + 0.3 * rows) / rows
    angle = np.arctan2(x - (columns - 1) / 2, y + 0.3 * rows)
    speckle = np.random.default_rng(seed).rayleigh(1.0, (rows, columns)).astype(np.float32)
    grey = np.clip(150 + 40 * np.log10(speckle + 0.01) - 70 * (depth - 0.4), 1, 255)
    inside = (depth > 0.4) & (depth < 1.2) & (np.abs(angle) < 0.5)
    return np.asarray(np.where(inside, grey, 0), np.uint8)


@cache
def sector_region(rows: int = 480, columns: int = 640) -> Region:
    """Bound what `sector` draws."""
    ys, xs = np.nonzero(sector(rows, columns))
    return Region(int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max()))


def colour_chart(rows: int = 64, columns: int = 96) -> NDArray[np.uint8]:
    """Draw smooth ramps of red, green and blue that no two channel orders or matrices can confuse.

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 3)
    """
    y, x = np.mgrid[0:rows, 0:columns] / np.array([rows - 1, columns - 1])[:, None, None]
    return np.asarray(np.rint(255 * np.stack((x, y, 0.2 + 0.3 * x * y), axis=-1)), np.uint8)


def us_instance(
    *,
    view: View | str | None = View.HEPATIC_VEINS,
    participant: int = 1,
    study: int = 1,
    number: int = 1,
    rows: int = 480,
    columns: int = 640,
    frames: int = 1,
    pixels: Pixels | None = None,
    photometric: str = "MONOCHROME2",
    transfer_syntax: str = ExplicitVRLittleEndian,
    bits_stored: int = 8,
    regions: Sequence[Region] | None = None,
    attributes: Mapping[str, object] | None = None,
    without: Sequence[str] = (),
    codestreams: Sequence[bytes] | None = None,
) -> bytes:
    """Write one small, valid ultrasound object.

    Parameters
    ----------
    view : View or str or None
        Named in (0020,4000) Image Comments: a view by what a sonographer types, a text as it is, None not at all.
    participant, study, number : int
        Who, which examination, which image of it: the UIDs derive from them.
    rows, columns, frames : int
        Of the default picture, a `sector` of speckle of its own for each participant, study, view and frame.
    pixels : ndarray, optional
        Other pixels: (rows, columns) grey or indices, (rows, columns, 3) RGB, or with frames in front.
    photometric : str
        (0028,0004); pixels are always given as RGB and converted to it.
    transfer_syntax : str
        One of those that the service accepts; pixels are compressed for it.
    bits_stored : int
        (0028,0101); above 8, `pixels` are uint16.
    regions : sequence of Region, optional
        Default: the one that bounds the sector.
    attributes : mapping of str to object, optional
        Keyword to value, set last.
    without : sequence of str
        Keywords to leave out.
    codestreams : sequence of bytes, optional
        Encapsulate these, one a frame, instead of compressing `pixels`.

    Returns
    -------
    bytes
        A DICOM file (PS3.10).
    """
    cine = _frames(pixels, photometric, (view, participant, study, number), (rows, columns), frames)
    dataset = _us_dataset(view, participant, study, number, cine, photometric, bits_stored)
    if regions is None:
        regions = (sector_region(*cine.shape[1:3]),) if pixels is None else ()
    if regions:
        dataset.SequenceOfUltrasoundRegions = Items([_region_item(region) for region in regions])
    _set_pixel_data(dataset, cine, photometric, transfer_syntax, codestreams)
    for keyword, value in (attributes or {}).items():
        setattr(dataset, keyword, value)
    for keyword in without:
        del dataset[keyword]
    return written(dataset, transfer_syntax)


def four_view_study(**arguments: Any) -> dict[View, bytes]:
    """Write the four views of one study; the arguments are those of `us_instance`."""
    return {view: us_instance(view=view, number=1 + i, **arguments) for i, view in enumerate(View)}


def ct_instance() -> bytes:
    """Write a small CT image: DICOM, but not ultrasound."""
    dataset = _us_dataset(None, 1, 1, 1, np.zeros((1, 16, 16), np.uint16), "MONOCHROME2", 12)
    dataset.SOPClassUID, dataset.Modality = CTImageStorage, "CT"
    _set_pixel_data(dataset, np.zeros((1, 16, 16), np.uint16), "MONOCHROME2", ExplicitVRLittleEndian, None)
    return written(dataset, ExplicitVRLittleEndian)


def truncated(data: bytes, keep: float = 0.5) -> bytes:
    """Cut a file short, as a broken upload does; `keep` is the share that arrives."""
    return data[: int(len(data) * keep)]


def written(dataset: Dataset, transfer_syntax: str) -> bytes:
    """Write a data set as a DICOM file, without checking that it is a valid one."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "")
    file = BytesIO()
    dcmwrite(file, dataset, enforce_file_format=False)
    return file.getvalue() if file.getvalue()[128:132] == b"DICM" else b"\0" * 128 + b"DICM" + file.getvalue()


# --- the data set ---------------------------------------------------------------------------------------------


def _frames(
    pixels: Pixels | None, photometric: str, seed: tuple[object, ...], size: tuple[int, int], count: int
) -> Pixels:
    """Bring the pixels into the shape (frames, rows, columns[, 3])."""
    is_colour = photometric in COLOUR
    if pixels is None:
        seeds = [int.from_bytes(hashlib.sha256(repr((*seed, i)).encode()).digest()[:4], "big") for i in range(count)]
        pixels = np.stack([sector(*size, seed=one) for one in seeds])
        pixels = np.repeat(pixels[..., None], 3, axis=-1) if is_colour else pixels
    return pixels if pixels.ndim == (4 if is_colour else 3) else pixels[None]


def _us_dataset(
    view: View | str | None,
    participant: int,
    study: int,
    number: int,
    cine: Pixels,
    photometric: str,
    bits_stored: int,
) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = UltrasoundImageStorage if len(cine) == 1 else UltrasoundMultiFrameImageStorage
    dataset.SOPInstanceUID = uid("instance", participant, study, view, number, photometric, cine.shape)
    dataset.StudyInstanceUID = uid("study", participant, study)
    dataset.SeriesInstanceUID = uid("series", participant, study)
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = "20240101", "120000", f"A{study}"
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = str(study), 1, number
    dataset.Modality, dataset.Manufacturer, dataset.ReferringPhysicianName = "US", "liver-pdff tests", ""
    dataset.PatientName, dataset.PatientID = PATIENT_NAME, f"QX-{participant}"
    dataset.PatientBirthDate, dataset.PatientSex = "19700101", "O"
    if view is not None:
        dataset.ImageComments = VIEW_NAMES[view] if isinstance(view, View) else view
    if len(cine) > 1:
        dataset.NumberOfFrames = len(cine)
    dataset.Rows, dataset.Columns = cine.shape[1:3]
    dataset.SamplesPerPixel = 3 if photometric in COLOUR else 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * cine.itemsize, bits_stored, bits_stored - 1
    dataset.PixelRepresentation, dataset.PhotometricInterpretation = 0, photometric
    if photometric in COLOUR:
        dataset.PlanarConfiguration = 0
    if photometric == "PALETTE COLOR":
        _set_palette(dataset)
    return dataset


def _set_palette(dataset: Dataset) -> None:
    """Give the indices a sepia palette of 256 16-bit entries."""
    ramp = np.arange(256) * 257
    for colour, share in (("Red", 1.0), ("Green", 0.8), ("Blue", 0.5)):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", (ramp * share).astype("<u2").tobytes())


def _region_item(region: Region) -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = region.spatial_format, region.data_type, 0
    item.RegionLocationMinX0, item.RegionLocationMinY0 = region.x0, region.y0
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = region.x1, region.y1
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = 0.03
    return item


def _set_pixel_data(
    dataset: Dataset, cine: Pixels, photometric: str, syntax: str, codestreams: Sequence[bytes] | None
) -> None:
    if syntax in NATIVE and codestreams is None:
        data = b"".join(_native(frame, photometric) for frame in cine)
        dataset.PixelData = data + b"\0" * (len(data) % 2)
    else:
        dataset.PixelData = encapsulate(list(codestreams or [encoded(frame, photometric, syntax) for frame in cine]))
        dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB" if cine.itemsize == 1 or syntax not in NATIVE else "OW"
    if syntax == ExplicitVRBigEndian:
        _turn_words(dataset)


def _turn_words(dataset: Dataset) -> None:
    """Make the words of all OW values big endian, which pydicom leaves to its caller."""
    for element in dataset:
        if element.VR == "OW":
            element.value = np.frombuffer(element.value, "<u2").byteswap().tobytes()


# --- encoders, none of them the reader's own ------------------------------------------------------------------


def _native(frame: Pixels, photometric: str) -> bytes:
    if photometric not in YBR:
        return frame.astype(frame.dtype.newbyteorder("<")).tobytes()
    ybr = _ybr(frame)
    if photometric == "YBR_FULL":
        return ybr.tobytes()
    y, chroma = ybr[..., 0].reshape(len(ybr), -1, 2), ybr[:, ::2, 1:]
    return np.concatenate((y, chroma), axis=-1).tobytes()


def _ybr(frame: Pixels) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(frame).convert("YCbCr"))


def encoded(frame: Pixels, photometric: str, syntax: str) -> bytes:
    """Compress one frame for a transfer syntax."""
    return ENCODERS[syntax](frame.copy(), photometric)


def _jpeg(frame: Pixels, photometric: str) -> bytes:
    if photometric not in COLOUR:
        return bytes(imagecodecs.jpeg8_encode(frame, level=95, bitspersample=8 if frame.itemsize == 1 else 12))
    space = "RGB" if photometric == "RGB" else "YCBCR"
    subsampling = "422" if photometric == "YBR_FULL_422" else "444"
    return bytes(
        imagecodecs.jpeg8_encode(frame, level=95, colorspace="RGB", outcolorspace=space, subsampling=subsampling)
    )


def _lossless_jpeg(predictor: int) -> Callable[[Pixels, str], bytes]:
    def encode(frame: Pixels, photometric: str) -> bytes:
        samples = _ybr(frame) if photometric in YBR else frame
        return bytes(imagecodecs.jpeg8_encode(samples, lossless=True, predictor=predictor))

    return encode


def _jpeg_ls(near: int) -> Callable[[Pixels, str], bytes]:
    def encode(frame: Pixels, photometric: str) -> bytes:
        return bytes(imagecodecs.jpegls_encode(_ybr(frame) if photometric in YBR else frame, level=near))

    return encode


def _jpeg2000(level: int) -> Callable[[Pixels, str], bytes]:
    def encode(frame: Pixels, photometric: str) -> bytes:
        samples, has_transform = (_ybr(frame) if photometric in YBR else frame), photometric in ("YBR_ICT", "YBR_RCT")
        stream = imagecodecs.jpeg2k_encode(
            samples, level=level * frame.itemsize, codecformat="j2k", mct=has_transform, reversible=level == 0
        )
        return bytes(stream)

    return encode


def _rle(frame: Pixels, photometric: str) -> bytes:
    samples = _ybr(frame) if photometric in YBR else frame
    return RLELosslessEncoder.encode(
        samples.tobytes(),
        rows=frame.shape[0],
        columns=frame.shape[1],
        samples_per_pixel=3 if photometric in COLOUR else 1,
        bits_allocated=8 * frame.itemsize,
        bits_stored=8 * frame.itemsize,
        photometric_interpretation="YBR_FULL" if photometric in YBR else photometric,
        pixel_representation=0,
        number_of_frames=1,
        planar_configuration=0,
        encoding_plugin="pydicom",
    )


ENCODERS: Mapping[str, Callable[[Pixels, str], bytes]] = {
    RLELossless: _rle,
    JPEGBaseline8Bit: _jpeg,
    JPEGExtended12Bit: _jpeg,
    JPEGLossless: _lossless_jpeg(predictor=4),
    JPEGLosslessSV1: _lossless_jpeg(predictor=1),
    JPEGLSLossless: _jpeg_ls(near=0),
    JPEGLSNearLossless: _jpeg_ls(near=2),
    JPEG2000Lossless: _jpeg2000(level=0),
    JPEG2000: _jpeg2000(level=45),
}
"""Transfer syntax -> encoder of one frame."""


def without_marker(stream: bytes, marker: int) -> bytes:
    """Drop a marker segment, such as 0xE0 (JFIF) or 0xEE (Adobe), from a JPEG stream."""
    at = stream.find(bytes((0xFF, marker)))
    if at < 0:
        return stream
    (length,) = struct.unpack_from(">H", stream, at + 2)
    return stream[:at] + stream[at + 2 + length :]
