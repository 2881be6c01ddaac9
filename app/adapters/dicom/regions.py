"""What an object says of its picture: Sequence of Ultrasound Regions (PS3.3 C.8.5.5), and the kind of image."""

from typing import Final

from app.adapters.dicom.attributes import Attributes
from app.adapters.dicom.limits import ReadLimits
from app.core.values import TissueBox, UltrasoundRegion

FLOW: Final = 0x0010 | 0x0020 | 0x0100
"""Colour Doppler, colour M-mode and colour power mode in value 4 of (0008,0008) Image Type (PS3.3 C.8.5.6.1.1)."""


def says_flow(attributes: Attributes) -> bool:
    """Tell whether (0008,0008) Image Type says that the image shows colour flow."""
    values = attributes.values("ImageType")
    try:
        return bool(int(values[3], 16) & FLOW) if len(values) > 3 else False
    except ValueError:  # free text
        return False


def read_regions(attributes: Attributes, limits: ReadLimits) -> tuple[UltrasoundRegion, ...]:
    """Read the regions; a damaged item is skipped."""
    items = attributes.items("SequenceOfUltrasoundRegions")[: limits.max_regions]
    return tuple(region for region in map(_region, items) if region is not None)


def _region(item: Attributes) -> UltrasoundRegion | None:
    corners = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
    numbers = [item.integer(keyword) for keyword in (*corners, "RegionSpatialFormat", "RegionDataType")]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        return None
    x0, y0, x1, y1, spatial_format, data_type = known
    box = TissueBox(x0, y0, x1 + 1, y1 + 1)  # the standard's maximum is the last pixel inside
    return UltrasoundRegion(box, spatial_format, data_type) if box.x0 < box.x1 and box.y0 < box.y1 else None
