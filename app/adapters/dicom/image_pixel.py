"""The Image Pixel Module (PS3.3 C.7.6.3), as far as ultrasound allows it (PS3.3 C.8.5.6.1)."""

from collections.abc import Iterator

from app.adapters.dicom.attributes import Attributes
from app.adapters.dicom.keywords import REQUIRED_NUMBERS
from app.adapters.dicom.limits import ReadLimits
from app.adapters.dicom.pixel_format import ONE_SAMPLE, PHOTOMETRICS, PixelFormat
from app.core.errors import UndecodablePixels


def read_pixel_format(attributes: Attributes, limits: ReadLimits) -> PixelFormat:
    """Read the description of the pixels; refuse one that is not of an ultrasound image, with all reasons."""
    photometric = attributes.text("PhotometricInterpretation")
    rows, columns, samples, allocated, stored, sign = (attributes.integer(name) or 0 for name in REQUIRED_NUMBERS)
    planes = attributes.integer("PlanarConfiguration") or 0
    high_bit = attributes.integer("HighBit")
    pixel_format = PixelFormat(rows, columns, samples, allocated, stored, photometric, planes)
    problems = [*_problems(pixel_format, limits)]
    if sign != 0:
        problems.append("(0028,0103) Pixel Representation must be 0, unsigned")
    if high_bit is not None and high_bit != stored - 1:
        problems.append("(0028,0102) High Bit must be one less than (0028,0101) Bits Stored")
    if problems:
        raise UndecodablePixels(f"The pixel description is not one of an ultrasound image: {'; '.join(problems)}.")
    return pixel_format


def _problems(fmt: PixelFormat, limits: ReadLimits) -> Iterator[str]:
    most, is_one_sample = limits.max_rows_columns, fmt.photometric_interpretation in ONE_SAMPLE
    if not (0 < fmt.rows <= most and 0 < fmt.columns <= most):
        yield f"(0028,0010) Rows and (0028,0011) Columns must be between 1 and {most}"
    if fmt.photometric_interpretation not in PHOTOMETRICS:
        yield f"(0028,0004) Photometric Interpretation must be one of {', '.join(sorted(PHOTOMETRICS))}"
    elif fmt.samples_per_pixel != (1 if is_one_sample else 3):
        yield "(0028,0002) Samples per Pixel must be 1 for grey and palette, 3 for colour"
    if fmt.bits_allocated not in ((8, 16) if is_one_sample else (8,)):
        yield "(0028,0100) Bits Allocated must be 8 or 16, and 8 for colour"
    if not 0 < fmt.bits_stored <= fmt.bits_allocated or (not is_one_sample and fmt.bits_stored != 8):
        yield "(0028,0101) Bits Stored must fit into (0028,0100) Bits Allocated, and be 8 for colour"
    if fmt.planar_configuration not in (0, 1):
        yield "(0028,0006) Planar Configuration must be 0 or 1"
    if fmt.rows * fmt.columns * fmt.samples_per_pixel * fmt.bits_allocated > 8 * limits.max_decoded_bytes:
        yield f"one frame must not be larger than {limits.max_decoded_bytes} bytes"
