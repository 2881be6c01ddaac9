"""The bundle's manifest: what a bundle promises, checked when it is read."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.core.values import View

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Probability = Annotated[float, Field(ge=0, le=1)]
Precision = Literal["fp32", "int8"]
SCHEMA_VERSION = 2


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BackboneInfo(_Strict):
    """Where the feature extractor comes from, and how it computes."""

    architecture: str
    source: Literal["pretrained", "imagenet", "file", "seeded"]
    precision: Precision
    description: str
    weights_sha256: Sha256


class PreprocessingInfo(_Strict):
    """What happens to a tissue crop before the backbone; see `app.core.values.Preprocessing`."""

    size: Literal[224]
    resampling: Literal["bilinear", "bicubic", "lanczos"]
    colour_order: Literal["rgb", "bgr"]
    scale: Annotated[float, Field(gt=0)]
    mean: tuple[float, float, float]
    std: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]


class OperatingPoint(_Strict):
    """A threshold on the averaged probability and what it gave on a cohort."""

    probability: Probability
    sensitivity: Probability
    specificity: Probability


class ThresholdsInfo(_Strict):
    """Operating points of the averaged multiview model."""

    rule: str
    ge5: OperatingPoint
    ge10: OperatingPoint


class CohortInfo(_Strict):
    """Whom the heads were fitted on."""

    description: str
    participants: Annotated[int, Field(ge=1)]
    pdff_percent_range: tuple[float, float]


class ModelFigures(_Strict):
    """Figures of one view's model, or of the averaged one."""

    spearman: float
    pearson: float
    auc_ge5: Probability
    auc_ge10: Probability
    mean_absolute_error_percent: Annotated[float, Field(ge=0)]


class Evaluation(_Strict):
    """Figures on participants that no head has seen.

    ``ge5`` and ``ge10`` are what the bundle's thresholds gave on them.
    """

    method: str
    participants: Annotated[int, Field(ge=1)]
    participants_ge5: Annotated[int, Field(ge=0)]
    participants_ge10: Annotated[int, Field(ge=0)]
    ge5: OperatingPoint
    ge10: OperatingPoint
    models: dict[str, ModelFigures]


class ReferenceInfo(_Strict):
    """The full-precision bundle that a low-precision one stands beside: same participants, its own heads."""

    name: str
    version: str
    sha256: Sha256
    averaged: ModelFigures


class FileInfo(_Strict):
    """One file of the bundle."""

    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=1)]


def _all_four(views: tuple[View, ...]) -> tuple[View, ...]:
    if views != tuple(View):
        raise ValueError(f"must be {', '.join(View)}, in this order")
    return views


class Manifest(_Strict):
    """Everything a bundle says of itself.

    ``manifest.sha256`` beside it holds the hash of the manifest's own bytes in coreutils' format; that hash is
    the bundle's identity.
    """

    schema_version: Literal[2]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+")]
    synthetic: bool
    intended_use: str
    made_by: str
    network_file: str
    backbone: BackboneInfo
    preprocessing: PreprocessingInfo
    views: Annotated[tuple[View, ...], AfterValidator(_all_four)]
    heads_file: str
    thresholds: ThresholdsInfo
    cohort: CohortInfo
    evaluation: Evaluation
    reference: ReferenceInfo | None = None
    golden_file: str
    files: dict[str, FileInfo]
