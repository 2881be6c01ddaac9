"""The whole walk, from instances to estimate: crop every view, then estimate the study."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from app.core.ensemble import combine_views, out_of_range
from app.core.errors import ImageError
from app.core.heads import finite, probability
from app.core.tensors import to_pictures
from app.core.tissue import extract_tissue
from app.core.values import (
    Analysis,
    AnalysisWarning,
    Crop,
    DicomInstance,
    Estimate,
    Floats,
    HeadOutputs,
    ImageKey,
    Network,
    Origin,
    Preprocessing,
    Target,
    Thresholds,
    Tissue,
    View,
    ViewEstimate,
)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What a bundle brings to the walk.

    Attributes
    ----------
    network : Network
    preprocessing : Preprocessing
    thresholds : Thresholds
    """

    network: Network
    preprocessing: Preprocessing
    thresholds: Thresholds


def crop_instance(instance: DicomInstance) -> Crop:
    """Keep the tissue of one instance.

    Raises
    ------
    NoTissue, ColourDoppler, MultipleTissueRegions
    """
    try:
        tissue = extract_tissue(instance.pixels, instance.regions, is_flow_image=instance.is_flow_image)
    except ImageError as error:
        error.scanner = instance.scanner_model
        raise
    return Crop(
        sop_instance_uid=instance.sop_instance_uid,
        study_instance_uid=instance.study_instance_uid,
        frame_number=instance.frame_number,
        decoder=instance.decoder,
        tissue=tissue,
        view_texts=instance.view_texts,
        scanner_model=instance.scanner_model,
        origin=instance.origin,
        warnings=(*instance.warnings, *_tissue_warnings(tissue)),
    )


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
    pictures = to_pictures((crop.tissue for crop in crops.values()), model.preprocessing)
    return read_outputs(crops, model.network(pictures, list(crops)), model.thresholds)


def read_outputs(crops: Mapping[View, Crop], outputs: HeadOutputs, thresholds: Thresholds) -> Estimate:
    """Turn what a network says of a study's crops, view after view, into the study's estimate.

    Raises
    ------
    NonFiniteOutput
    """
    views = [
        estimate_view(view, crop, values, cams)
        for (view, crop), values, cams in zip(crops.items(), outputs.values, outputs.cams, strict=True)
    ]
    return combine_views(next(iter(crops.values())).study_instance_uid, views, thresholds)


def estimate_view(view: View, crop: Crop, values: Floats, cams: Floats) -> ViewEstimate:
    """Read one view's three heads: their values, shape (3,), and maps, shape (3, 7, 7), in the order of `Target`."""
    pdff_percent, ge5, ge10 = map(finite, values)
    return ViewEstimate(
        view=view,
        sop_instance_uid=crop.sop_instance_uid,
        frame_number=crop.frame_number,
        decoder=crop.decoder,
        tissue_box=crop.tissue.box,
        tissue_source=crop.tissue.source,
        pdff_percent=pdff_percent,
        probability_ge5=probability(ge5),
        probability_ge10=probability(ge10),
        cams=dict(zip(Target, cams, strict=True)),
        view_source=crop.view_source,
        origin=crop.origin,
        warnings=(*crop.warnings, *out_of_range(pdff_percent)),
    )


def corrected(known: Analysis, crops: Mapping[View, Crop]) -> Estimate:
    """Repeat the numbers of an analysis for the same images under another identity.

    Parameters
    ----------
    known : Analysis
        The earlier answer; a warning names it.
    crops : mapping of View to Crop
        Of the same pixels: equal by `question`.
    """
    views = [
        replace(
            view,
            origin=crops[view.view].origin,
            view_source=crops[view.view].view_source,
            warnings=(*crops[view.view].warnings, *out_of_range(view.pdff_percent)),
        )
        for view in known.estimate.views
    ]
    estimate = combine_views(known.estimate.study_instance_uid, views, known.estimate.thresholds)
    detail = (
        f"Analysis {known.id} has the same images and numbers under another patient, study or series. This analysis "
        "supersedes it and its result objects."
    )
    return replace(estimate, warnings=(*estimate.warnings, AnalysisWarning("identity_corrected", detail)))


def is_about(analysis: Analysis, origins: Mapping[View, Origin]) -> bool:
    """Tell whether an analysis repeats the patient, study, series and time that its images have now."""
    return all(view.origin.repeated == origins[view.view].repeated for view in analysis.estimate.views)


def fingerprint(crops: Mapping[View, Crop], bundle_sha256: str) -> str:
    """Name the question that crops ask of a bundle: see `question`."""
    return question({view: image_key(crop) for view, crop in crops.items()}, bundle_sha256)


def question(images: Mapping[View, ImageKey], bundle_sha256: str) -> str:
    """Name a question: the same pixels of the same objects, asked of the same bundle, are the same question.

    The patient is not part of the question, since the numbers do not depend on it; see `is_about`.

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


LOW_RESOLUTION = AnalysisWarning("low_resolution", "The tissue crop is smaller than 224 pixels and had to be enlarged.")
CROP_UNCERTAIN = AnalysisWarning(
    "crop_uncertain", "The tissue's outline fits a sector or a rectangle poorly: look whether the crop holds all of it."
)


def _tissue_warnings(tissue: Tissue) -> tuple[AnalysisWarning, ...]:
    """Say so when the crop is coarser than the network's input, or may be wrong."""
    low = [LOW_RESOLUTION] if min(tissue.pixels.shape) < 224 else []
    return (*low, *([CROP_UNCERTAIN] if tissue.is_doubtful else []))
