"""Bytes -> one validated ultrasound image: the only door of pydicom and of imagecodecs.

The walk of `read_instance`, each step the earliest that can refuse:

1. preamble and file meta alone (`parsing`): is it DICOM, and of a transfer syntax on the allow-list (`checks`)?
2. the dataset up to, and without, the pixel data (`parsing`); only what `keywords.KEPT` names is kept, so no patient
   attribute is ever held;
3. is it ultrasound, is everything there (`checks`), is it a picture as ultrasound has them (`image_pixel`)?
4. one frame is cut out of the pixel data (`frames`, `fragments`), decoded (`codecs`) and turned into displayed grey
   levels or RGB (`display`, by the tables of `grey_scale` and `palette`).

Of an object that may be anything, `identity` tells first which one it is and what it calls itself, without its pixels.
`header` holds steps 1 to 3 and the cut, `reader` the whole. Errors of pydicom, numpy and the codecs end here, by
type, and pydicom's warnings, which quote what it reads, too (`guard`).
"""

from app.adapters.dicom.identity import check_identity, introduce, read_identity, read_names
from app.adapters.dicom.limits import ReadLimits
from app.adapters.dicom.reader import read_instance

__all__ = [
    "ReadLimits",
    "check_identity",
    "introduce",
    "read_identity",
    "read_instance",
    "read_names",
]
