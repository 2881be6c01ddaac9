"""The whole walk, from instances to estimate: crop every view, then estimate the study."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.cam import class_activation_map
from app.core.ensemble import combine_views, out_of_range
from app.core.errors import AnalysisError, ImageError
from app.core.heads import predict, probability
from app.core.tensors import to_tensor
from app.core.tissue import extract_tissue
from app.core.values import (
    AnalysisWarning,
    Backbone,
    Crop,
    DicomInstance,
    Estimate,
    Floats,
    Heads,
    ImageKey,
    LinearHead,
    Preprocessing,
    Target,
    Thresholds,
    Tissue,
    View,
    ViewEstimate,
)
from app.core.views import refuse_all


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What a bundle brings to the walk.

    Attributes
    ----------
    backbone : Backbone
    heads : mapping of View to mapping of Target to LinearHead
    preprocessing : Preprocessing
    thresholds : Thresholds
    """

    backbone: Backbone
    heads: Heads
    preprocessing: Preprocessing
    thresholds: Thresholds


def crop_instance(instance: DicomInstance) -> Crop:
    """Keep the tissue of one instance.

    Raises
    ------
    NoTissue, ColourDoppler, MultipleTissueRegions
    """
    tissue = extract_tissue(instance.pixels, instance.regions)
    return Crop(
        sop_instance_uid=instance.sop_instance_uid,
        study_instance_uid=instance.study_instance_uid,
        frame_number=instance.frame_number,
        decoder=instance.decoder,
        tissue=tissue,
        origin=instance.origin,
        warnings=(*instance.warnings, *_tissue_warnings(tissue)),
    )


def crop_views(instances: Mapping[View, DicomInstance]) -> dict[View, Crop]:
    """Crop every view to its tissue.

    Raises
    ------
    ImageError
        For the first picture that cannot be used; the others' refusals stand in its ``also``.
    """
    crops: dict[View, Crop] = {}
    errors: list[AnalysisError] = []
    for view, instance in instances.items():
        try:
            crops[view] = crop_instance(instance)
        except ImageError as error:
            error.part = view
            errors.append(error)
    refuse_all(errors)
    return crops


def estimate_study(crops: Mapping[View, Crop], model: Model) -> Estimate:
    """Estimate PDFF from the cropped views of one study.

    Parameters
    ----------
    crops : mapping of View to Crop
        One to four views of one study.
    model : Model

    Returns
    -------
    Estimate

    Raises
    ------
    InferenceError
        If the computation fails.
    """
    tensors = np.stack([to_tensor(crop.tissue.pixels, model.preprocessing) for crop in crops.values()])
    features = model.backbone(tensors)
    views = [
        estimate_view(view, crop, model.heads[view], features.gap[row], features.activation[row])
        for row, (view, crop) in enumerate(crops.items())
    ]
    study_instance_uid = next(iter(crops.values())).study_instance_uid
    return combine_views(study_instance_uid, views, model.thresholds)


def estimate_view(
    view: View,
    crop: Crop,
    heads: Mapping[Target, LinearHead],
    gap: Floats,
    activation: NDArray[np.float32],
) -> ViewEstimate:
    """Apply one view's three heads to its features, shapes (2048,) and (2048, 7, 7)."""
    outputs = {target: predict(head, gap) for target, head in heads.items()}
    return ViewEstimate(
        view=view,
        sop_instance_uid=crop.sop_instance_uid,
        frame_number=crop.frame_number,
        decoder=crop.decoder,
        tissue_box=crop.tissue.box,
        tissue_source=crop.tissue.source,
        pdff_percent=outputs[Target.PDFF],
        probability_ge5=probability(outputs[Target.GE5]),
        probability_ge10=probability(outputs[Target.GE10]),
        cams={target: class_activation_map(head, activation) for target, head in heads.items()},
        origin=crop.origin,
        warnings=(*crop.warnings, *out_of_range(outputs[Target.PDFF])),
    )


def fingerprint(crops: Mapping[View, Crop], bundle_sha256: str) -> str:
    """Name the question that crops ask of a bundle: see `question`."""
    return question({view: image_key(crop) for view, crop in crops.items()}, bundle_sha256)


def question(images: Mapping[View, ImageKey], bundle_sha256: str) -> str:
    """Name a question: the same pixels of the same objects, asked of the same bundle, are the same question.

    Returns
    -------
    str
        SHA-256, hexadecimal. UIDs are part of it, so that an answer never cites another study's objects.
    """
    digest = hashlib.sha256(bundle_sha256.encode())
    for view in (view for view in View if view in images):
        key = images[view]
        identity = (view, *key[:3], *key.box, key.tissue_sha256)
        digest.update(repr(tuple(map(str, identity))).encode())
    return digest.hexdigest()


def image_key(crop: Crop) -> ImageKey:
    """Name an image by its object and by its pixels, so that it can be compared without them."""
    pixels = np.ascontiguousarray(crop.tissue.pixels).tobytes()
    return ImageKey(
        crop.study_instance_uid,
        crop.sop_instance_uid,
        crop.frame_number,
        crop.tissue.box,
        hashlib.sha256(pixels).hexdigest(),
    )


def _tissue_warnings(tissue: Tissue) -> tuple[AnalysisWarning, ...]:
    """Say so when the crop is coarser than the network's input."""
    if min(tissue.pixels.shape) >= 224:
        return ()
    return (AnalysisWarning("low_resolution", "The tissue crop is smaller than 224 pixels and had to be enlarged."),)
