"""The values that walk from pixels to estimate. All are frozen; none knows a file, a socket or a database."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.scanners import OTHER

GreyImage = NDArray[np.uint8]
"""Pixels of shape (rows, columns)."""
ScreenPixels = NDArray[np.uint8]
"""Pixels of shape (rows, columns), grey, or (rows, columns, 3), RGB."""
Floats = NDArray[np.float64]
TissueSource = Literal["region", "image"]
Content = bytes | memoryview
"""A file's bytes, wherever they lie."""
Mapper = Callable[..., Iterable[Any]]
"""Applies a function to each of some items, as `map` does; a pool's does several at once."""


class View(StrEnum):
    """The four acquisition windows of Byra et al. 2021, always in this order."""

    HEPATIC_VEINS = "hepatic_veins"
    RIGHT_PORTAL_VEIN = "right_portal_vein"
    RIGHT_POSTERIOR_PORTAL_VEIN = "right_posterior_portal_vein"
    LIVER_KIDNEY = "liver_kidney"


class ViewSource(StrEnum):
    """What told which view an image shows."""

    SENDER = "sender"
    ATTRIBUTE = "attribute"
    SCREEN = "screen"


@dataclass(frozen=True, slots=True)
class ViewTexts:
    """The texts of an object that may name its view, each on one line.

    Attributes
    ----------
    image : tuple of str
        Of the image itself, most telling first; a `View` where a code names it.
    examination : mapping of str to str
        Keyword to text, of the attributes that describe the whole examination; those that have a value.
    """

    image: tuple[str, ...] = ()
    examination: Mapping[str, str] = field(default_factory=dict)


class ScreenNaming(NamedTuple):
    """What the text that is burned into a screen says of the view; the text itself is forgotten.

    Attributes
    ----------
    view : View or None
        The only view that its annotations name.
    alone : bool
        Whether an annotation names the view and nothing else.
    """

    view: View | None
    alone: bool = False


class Target(StrEnum):
    """What a head predicts: PDFF in percent, or the log-odds of PDFF >= 5 % and >= 10 %."""

    PDFF = "pdff"
    GE5 = "ge5"
    GE10 = "ge10"


@dataclass(frozen=True, slots=True)
class AnalysisWarning:
    """Something that the reader of an answer should know.

    Attributes
    ----------
    code : str
        Stable snake_case name.
    detail : str
        One sentence without any patient attribute.
    """

    code: str
    detail: str


class TissueBox(NamedTuple):
    """A rectangle in image pixels, half-open: columns ``x0 <= x < x1``, rows ``y0 <= y < y1``."""

    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True, slots=True)
class UltrasoundRegion:
    """One item of Sequence of Ultrasound Regions (0018,6011), as written: boxes are not to be trusted.

    Attributes
    ----------
    box : TissueBox
        Region Location (0018,6018/601A/601C/601E); the standard's inclusive maximum is already turned half-open.
    spatial_format : int
        (0018,6012): 1 is 2D.
    data_type : int
        (0018,6014): 1 is tissue, 2 is colour flow.
    """

    box: TissueBox
    spatial_format: int
    data_type: int


@dataclass(frozen=True, slots=True)
class Origin:
    """What result objects have to repeat of the image they come from.

    It identifies a patient: it goes into result objects and the database, never into a message, log or metric.

    Attributes
    ----------
    sop_class_uid, series_instance_uid : str
        (0008,0016), (0020,000E).
    instance_number : int or None
        (0020,0013).
    taken_at : str
        Date and time of the image, digits that sort; empty if the object does not say.
    study : mapping of str to str
        Attributes of the patient and the study by keyword, those that have a value.
    scanner : str
        What the operator calls the scanner; see `app.core.scanners`.
    """

    sop_class_uid: str = ""
    series_instance_uid: str = ""
    instance_number: int | None = None
    taken_at: str = ""
    study: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    scanner: str = OTHER

    @property
    def is_referable(self) -> bool:
        """Whether another object can refer to the image: PS3.3 C.17.2.1 needs its class and its series."""
        return bool(self.sop_class_uid and self.series_instance_uid)

    @property
    def repeated(self) -> "Origin":
        """What results repeat: all but the scanner and the instance number."""
        return replace(self, scanner=OTHER, instance_number=None)


@dataclass(frozen=True, slots=True, eq=False)
class DicomInstance:
    """One validated two-dimensional ultrasound image: one frame of one DICOM object.

    Attributes
    ----------
    sop_instance_uid, study_instance_uid : str
        (0008,0018), (0020,000D).
    transfer_syntax_uid : str
        (0002,0010).
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
        The displayed grey levels or RGB colours of the chosen frame.
    frame_number : int
        The chosen frame, counted from 1.
    number_of_frames : int
        (0028,0008), or 1.
    regions : tuple of UltrasoundRegion
        (0018,6011), possibly empty.
    is_flow_image : bool
        Whether (0008,0008) Image Type says that the image shows colour flow.
    view_texts : ViewTexts
    scanner_model : str
        (0008,1090) as the object says it.
    origin : Origin
    decoder : str
        Library and version that decoded the pixels.
    warnings : tuple of AnalysisWarning
        What the reader noticed.
    """

    sop_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    pixels: ScreenPixels
    frame_number: int = 1
    number_of_frames: int = 1
    regions: tuple[UltrasoundRegion, ...] = ()
    is_flow_image: bool = False
    view_texts: ViewTexts = ViewTexts()
    scanner_model: str = ""
    origin: Origin = Origin()
    decoder: str = ""
    warnings: tuple[AnalysisWarning, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Tissue:
    """The part of a screen that shows tissue.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (y1 - y0, x1 - x0)
        Grey levels inside the box; what lies outside the sector is 0.
    box : TissueBox
        Where the crop was taken.
    source : {"region", "image"}
        Whether the box comes from the DICOM regions or was found in the picture.
    is_doubtful : bool
        Whether its outline fits none of the shapes of tissue well.
    """

    pixels: GreyImage
    box: TissueBox
    source: TissueSource
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What the backbone says of a batch of n images.

    Attributes
    ----------
    gap : ndarray of float64, shape (n, 2048)
        Global average pooled features: the mean of `activation` over each map, summed in float64.
    activation : ndarray of float32, shape (n, 2048, 7, 7)
        The feature maps before pooling.
    """

    gap: Floats
    activation: NDArray[np.float32]


class Backbone(Protocol):
    """A convolutional feature extractor."""

    def __call__(self, tensors: NDArray[np.float32]) -> Features:
        """Turn images of shape (n, 3, 224, 224) into features."""
        ...


class HeadOutputs(NamedTuple):
    """What the three heads of each view say of a batch of n images, in the order of `Target`.

    Attributes
    ----------
    values : ndarray of float64, shape (n, 3)
        Percent PDFF, and the log-odds of both cut-offs.
    cams : ndarray of float64, shape (n, 3, 7, 7)
        Signed class activation maps in the same units: mean plus the head's intercept is the value.
    """

    values: Floats
    cams: Floats


class Network(Protocol):
    """Preprocessing, backbone and heads: all that a bundle computes of a picture."""

    def __call__(self, pictures: NDArray[np.uint8], views: Sequence[View]) -> HeadOutputs:
        """Ask the heads of n views about n grey pictures of shape (n, 224, 224)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LinearHead:
    """One linear model on GAP features.

    Attributes
    ----------
    weights : ndarray of float64, shape (2048,)
        In output units per raw feature unit: percent PDFF, or log-odds.
    intercept : float
        In output units.
    """

    weights: Floats
    intercept: float


Heads = Mapping[View, Mapping[Target, LinearHead]]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How grey levels become the backbone's input; travels with the weights.

    Attributes
    ----------
    size : int
        Side of the square input, pixels.
    resampling : str
        Pillow's filter name, antialiased: ``"bicubic"``.
    colour_order : str
        ``"rgb"`` or ``"bgr"``: the order of `mean` and `std`.
    scale : float
        Grey levels are multiplied by this first.
    mean, std : tuple of float
        Subtracted, then divided by, per channel.
    """

    size: int = 224
    resampling: str = "bicubic"
    colour_order: str = "rgb"
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Operating points of the averaged model: a probability at or above one is called steatosis."""

    ge5: float
    ge10: float


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """All that is kept of an instance once its tissue is cropped.

    Attributes
    ----------
    sop_instance_uid, study_instance_uid : str
        (0008,0018), (0020,000D).
    frame_number : int
        Counted from 1.
    decoder : str
        Library and version that decoded the pixels.
    tissue : Tissue
    view_texts : ViewTexts
        As `DicomInstance` has them; not stored.
    scanner_model : str
        As the object says it; not stored.
    screen : ScreenNaming or None
        What the text on the screen says; None if it was not read. Not stored.
    view_source : ViewSource or None
        What told the view, once it is told.
    origin : Origin
    warnings : tuple of AnalysisWarning
    """

    sop_instance_uid: str
    study_instance_uid: str
    frame_number: int
    decoder: str
    tissue: Tissue
    view_texts: ViewTexts = ViewTexts()
    scanner_model: str = ""
    screen: ScreenNaming | None = None
    view_source: ViewSource | None = None
    origin: Origin = Origin()
    warnings: tuple[AnalysisWarning, ...] = ()


class ImageKey(NamedTuple):
    """What makes two images the same image: the object, the frame, the crop and its pixels.

    Attributes
    ----------
    study_instance_uid, sop_instance_uid : str
    frame_number : int
    box : TissueBox
    tissue_sha256 : str
        Of the crop's grey levels, hexadecimal.
    """

    study_instance_uid: str
    sop_instance_uid: str
    frame_number: int
    box: TissueBox
    tissue_sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class ViewEstimate:
    """What one view says.

    Attributes
    ----------
    view : View
    sop_instance_uid : str
        (0008,0018) of the image.
    frame_number : int
        Counted from 1.
    decoder : str
        Library and version that decoded the pixels.
    tissue_box : TissueBox
        Where the crop was taken, pixels.
    tissue_source : {"region", "image"}
        Whether the box comes from the DICOM regions or was found in the picture.
    pdff_percent : float
        Output of the Lasso head, %.
    probability_ge5, probability_ge10 : float
        Outputs of the L1 logistic heads.
    cams : mapping of Target to ndarray of float64, shape (7, 7)
        Signed class activation maps in the head's unit: mean plus intercept is the head's output.
    view_source : ViewSource or None
        What told the view; None in analyses that were stored before this was noted.
    origin : Origin
    warnings : tuple of AnalysisWarning
    """

    view: View
    sop_instance_uid: str
    frame_number: int
    decoder: str
    tissue_box: TissueBox
    tissue_source: TissueSource
    pdff_percent: float
    probability_ge5: float
    probability_ge10: float
    cams: Mapping[Target, Floats]
    view_source: ViewSource | None = None
    origin: Origin = Origin()
    warnings: tuple[AnalysisWarning, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """The averaged multiview model's answer for one study (Byra et al. 2021).

    Attributes
    ----------
    study_instance_uid : str
        (0020,000D).
    pdff_percent : float
        Mean of the views' PDFF, %.
    probability_ge5, probability_ge10 : float
        Mean of the views' probabilities. The classifiers are fitted with balanced classes, so these are scores at
        equal class frequency, not probabilities in the cohort.
    steatosis_ge5, steatosis_ge10 : bool
        Whether the probability reaches its threshold.
    thresholds : Thresholds
        The bundle's operating points, kept so that a call can be explained when the bundle is gone.
    views : tuple of ViewEstimate
        In the order of `View`.
    warnings : tuple of AnalysisWarning
    """

    study_instance_uid: str
    pdff_percent: float
    probability_ge5: float
    probability_ge10: float
    steatosis_ge5: bool
    steatosis_ge10: bool
    thresholds: Thresholds
    views: tuple[ViewEstimate, ...]
    warnings: tuple[AnalysisWarning, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all four views were used."""
        return len(self.views) == len(View)

    @property
    def is_referable(self) -> bool:
        """Whether another object can refer to every image."""
        return all(view.origin.is_referable for view in self.views)

    def said_by_all(self, keyword: str) -> str:
        """Return what every image says of an attribute of the patient or the study; empty if they disagree.

        A result that lacks a patient's name is found and mended, one under a wrong name is neither.
        """
        said = {view.origin.study.get(keyword, "") for view in self.views}
        return said.pop() if len(said) == 1 else ""


@dataclass(frozen=True, slots=True)
class BundleIdentity:
    """Which bundle answered.

    Attributes
    ----------
    name, version : str
    sha256 : str
        Of the manifest, which holds every other file's hash.
    synthetic : bool
        Whether its heads were fitted on simulated images: then no answer is for clinical use.
    precision : str
        Of the backbone's arithmetic: ``"fp32"`` or ``"int8"``.
    """

    name: str
    version: str
    sha256: str
    synthetic: bool
    precision: str


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """A stored answer.

    Attributes
    ----------
    id : str
        UUID.
    created_at : datetime
        When it was answered first, UTC.
    bundle : BundleIdentity
    estimate : Estimate
    """

    id: str
    created_at: datetime
    bundle: BundleIdentity
    estimate: Estimate
