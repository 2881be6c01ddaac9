"""Fit the heads of all views and write a bundle that the service can run."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np
import onnx

from app import __version__
from app.adapters.bundle.manifest import (
    SCHEMA_VERSION,
    BackboneInfo,
    CohortInfo,
    Evaluation,
    FileInfo,
    Manifest,
    Precision,
    PreprocessingInfo,
    ReferenceInfo,
    ThresholdsInfo,
)
from app.adapters.bundle.onnx_networks import OnnxNetwork
from app.adapters.bundle.store import (
    MANIFEST,
    MANIFEST_SHA256,
    MODEL_CARD,
    file_sha256,
    golden_answer,
    load_bundle,
    manifest_sha256_line,
    read_manifest,
)
from app.adapters.dicom import read_instance
from app.core.errors import BundleError
from app.core.heads import probability
from app.core.pipeline import Model, crop_instance, estimate_study
from app.core.values import Heads, LinearHead, Preprocessing, Target, Thresholds, View
from training.features import CohortFeatures
from training.heads import FittedHead, fit_head
from training.model_card import render_model_card
from training.network import build_network
from training.phantom import write_study
from training.predictions import AVERAGED, Predictions, average
from training.protocol import CUTOFF_PERCENT
from training.quantize import precision_of
from training.statistics import figures, nearest_operating_point, operating_point
from training.weights import Weights

NETWORK, HEADS, GOLDEN = "network.onnx", "heads.json", "golden/expected.json"
GOLDEN_SEED = 20_210_225
"""A phantom that no cohort holds: golden studies are never a patient's."""
GOLDEN_PDFF_PERCENT = 17.0
MAX_LOSS = 0.01
"""Of the averaged model's Spearman correlation and of each AUC: what a low precision may cost."""
THRESHOLD_RULE = "Point of the cross-validated ROC curve nearest (0, 1), averaged multiview model (Byra et al. 2021)"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a bundle is called, and whether it was made from simulated images."""

    name: str
    version: str
    synthetic: bool
    intended_use: str


FittedHeads = Mapping[View, Mapping[Target, FittedHead]]


def fit_heads(features: CohortFeatures, seed: int) -> dict[View, dict[Target, FittedHead]]:
    """Fit three heads for each view, on all rows of its images."""
    return {
        view: {target: fit_head(features.views[view], features.pdff_percent, target, seed) for target in Target}
        for view in View
    }


def plain_heads(fitted: FittedHeads) -> Heads:
    """Keep of fitted heads what the service needs."""
    return {view: {target: each.head for target, each in heads.items()} for view, heads in fitted.items()}


def out_of_fold(fitted: FittedHeads) -> Predictions:
    """Averaged multiview predictions from the folds that had not seen the participant."""
    return average([_predictions({t: each.out_of_fold for t, each in heads.items()}) for heads in fitted.values()])


def _predictions(outputs: Mapping[Target, np.ndarray]) -> Predictions:
    chances = np.vectorize(probability, otypes=[np.float64])
    return Predictions(outputs[Target.PDFF], chances(outputs[Target.GE5]), chances(outputs[Target.GE10]))


def operating_points(predicted: Predictions, features: CohortFeatures) -> ThresholdsInfo:
    """Choose both thresholds on out-of-fold predictions."""
    return ThresholdsInfo(
        rule=THRESHOLD_RULE,
        ge5=nearest_operating_point(predicted.probability_ge5, features.pdff_percent >= CUTOFF_PERCENT[Target.GE5]),
        ge10=nearest_operating_point(predicted.probability_ge10, features.pdff_percent >= CUTOFF_PERCENT[Target.GE10]),
    )


def evaluate_held_out(heads: Heads, thresholds: ThresholdsInfo, features: CohortFeatures) -> Evaluation:
    """Compare the final heads and thresholds with participants whom they have not seen."""
    per_view = {view: _predictions(_apply(heads[view], features.views[view].plain)) for view in View}
    averaged = average(list(per_view.values()))
    ge5, ge10 = (features.pdff_percent >= CUTOFF_PERCENT[target] for target in (Target.GE5, Target.GE10))
    return Evaluation(
        method="Held-out participants, disjoint from those the heads were fitted on",
        participants=len(features.participant_ids),
        participants_ge5=int(ge5.sum()),
        participants_ge10=int(ge10.sum()),
        ge5=operating_point(averaged.probability_ge5, ge5, thresholds.ge5.probability),
        ge10=operating_point(averaged.probability_ge10, ge10, thresholds.ge10.probability),
        models={
            name: figures(predicted, features.pdff_percent)
            for name, predicted in (per_view | {AVERAGED: averaged}).items()
        },
    )


def _apply(heads: Mapping[Target, LinearHead], X: np.ndarray) -> dict[Target, np.ndarray]:
    return {target: X @ head.weights + head.intercept for target, head in heads.items()}


def write_bundle(
    folder: Path,
    identity: Identity,
    weights: Weights,
    backbone: onnx.ModelProto,
    training: CohortFeatures,
    held_out: CohortFeatures,
    cohort: str,
    seed: int,
    reference: Path | None = None,
) -> Path:
    """Fit, evaluate and write a bundle, then load it as the service does.

    Parameters
    ----------
    folder : Path
        ``models/NAME/VERSION``; replaced as a whole, so that no half bundle is ever seen.
    identity : Identity
    weights : Weights
    backbone : onnx.ModelProto
        Graph made from `weights`, perhaps quantised.
    training, held_out : CohortFeatures
        Features by that backbone, of disjoint participants.
    cohort : str
        Description of the training cohort.
    seed : int
        Of the folds.
    reference : Path, optional
        Full-precision bundle of the same cohorts: a low-precision backbone needs one to be compared with.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    ValueError
        If a participant stands in both cohorts, features come from another backbone or lack a view, `folder` holds
        something else than an earlier version of this very bundle, or a low precision costs too much.
    """
    check_replaceable(folder, identity)
    content = backbone.SerializeToString()
    check_cohorts(training, held_out, hashlib.sha256(content).hexdigest())
    precision = precision_of(backbone)
    fitted = fit_heads(training, seed)
    heads, thresholds = plain_heads(fitted), operating_points(out_of_fold(fitted), training)
    cohort_info, evaluation = _cohort_info(cohort, training), evaluate_held_out(heads, thresholds, held_out)
    measured_against = measure_against(reference, precision, cohort_info, evaluation)
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "golden").mkdir(parents=True)
    (partial / NETWORK).write_bytes(build_network(backbone, Preprocessing(), heads).SerializeToString())
    _write_json(partial / HEADS, heads_document(heads))
    _write_golden(partial, thresholds)
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        **asdict(identity),
        made_by=f"liver-pdff {__version__}",
        network_file=NETWORK,
        backbone=_backbone_info(weights, precision),
        preprocessing=PreprocessingInfo(**asdict(Preprocessing())),
        views=tuple(View),
        heads_file=HEADS,
        thresholds=thresholds,
        cohort=cohort_info,
        evaluation=evaluation,
        reference=measured_against,
        golden_file=GOLDEN,
        files={},
    )
    (partial / MODEL_CARD).write_text(render_model_card(manifest, fitted, _n_rows(training)), encoding="utf-8")
    _seal(partial, manifest)
    load_bundle(partial, threads=1)
    _replace(folder, partial)
    return folder


def check_replaceable(folder: Path, identity: Identity) -> None:
    """Refuse to overwrite anything but a bundle of the same name, version and kind."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    try:
        manifest, _ = read_manifest(folder)
        same = (manifest.name, manifest.version, manifest.synthetic) == astuple(identity)[:3]
    except BundleError:
        same = False
    if not same:
        raise ValueError(f"{folder} holds something else than {identity.name} {identity.version}: move it away first")


def check_cohorts(training: CohortFeatures, held_out: CohortFeatures, backbone_sha256: str) -> None:
    """Refuse figures that would not be held out, and features that are not this backbone's or lack a view."""
    if both := sorted(set(training.participant_ids) & set(held_out.participant_ids)):
        raise ValueError(f"{len(both)} participants stand in both cohorts, {both[0]} for one")
    if {training.backbone_sha256, held_out.backbone_sha256} != {backbone_sha256}:
        raise ValueError("the features come from another backbone than these weights make: extract them again")
    if missing := [view for view in View if view not in training.views or view not in held_out.views]:
        raise ValueError(f"the service needs heads for all four views: the features have no {', '.join(missing)}")


def measure_against(
    reference: Path | None, precision: Precision, cohort: CohortInfo, evaluation: Evaluation
) -> ReferenceInfo | None:
    """Compare a low-precision bundle's held-out figures with those of its full-precision sister, and refuse a poor one.

    Raises
    ------
    ValueError
        If there is nothing to compare with, or the averaged model's Spearman correlation or an AUC falls by more than
        `MAX_LOSS`.
    """
    if precision == "fp32":
        return None
    if reference is None:
        raise ValueError(f"an {precision} bundle needs the fp32 bundle of the same cohorts to be compared with")
    manifest, sha256 = read_manifest(reference)
    mine, others = (cohort, evaluation.participants), (manifest.cohort, manifest.evaluation.participants)
    if manifest.backbone.precision != "fp32" or mine != others:
        raise ValueError(f"{reference} is no fp32 bundle of the same cohorts")
    before, after = manifest.evaluation.models[AVERAGED], evaluation.models[AVERAGED]
    for figure in ("spearman", "auc_ge5", "auc_ge10"):
        if getattr(after, figure) < getattr(before, figure) - MAX_LOSS:
            raise ValueError(
                f"{precision} loses too much: {figure} of the averaged model falls from {getattr(before, figure):.3f} "
                f"to {getattr(after, figure):.3f}, more than {MAX_LOSS}. Nothing was written."
            )
    return ReferenceInfo(name=manifest.name, version=manifest.version, sha256=sha256, averaged=before)


def _n_rows(features: CohortFeatures) -> int:
    return max(int(design.X.shape[1]) for design in features.views.values())


def _replace(folder: Path, partial: Path) -> None:
    """Put the new bundle in the old one's place; a crash in between leaves both beside each other."""
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _backbone_info(weights: Weights, precision: Precision) -> BackboneInfo:
    return BackboneInfo(
        architecture="resnet50-v1.5",
        source=weights.source,
        precision=precision,
        description=weights.description,
        weights_sha256=weights.sha256,
    )


def _cohort_info(description: str, training: CohortFeatures) -> CohortInfo:
    return CohortInfo(
        description=description,
        participants=len(training.participant_ids),
        pdff_percent_range=(float(training.pdff_percent.min()), float(training.pdff_percent.max())),
    )


def heads_document(heads: Heads) -> dict[str, object]:
    """Write sparse heads as JSON values; float64 survives JSON exactly."""
    return {view: {target: _head_document(head) for target, head in each.items()} for view, each in heads.items()}


def _head_document(head: LinearHead) -> dict[str, object]:
    support = np.flatnonzero(head.weights)
    return {"intercept": head.intercept, "indices": support.tolist(), "weights": head.weights[support].tolist()}


def _write_golden(folder: Path, thresholds: ThresholdsInfo) -> None:
    """Simulate one study, analyse it and keep the answer."""
    paths = write_study(folder / "golden", 1, GOLDEN_SEED, GOLDEN_PDFF_PERCENT)
    model = Model(
        network=OnnxNetwork(folder / NETWORK),
        preprocessing=Preprocessing(),
        thresholds=Thresholds(thresholds.ge5.probability, thresholds.ge10.probability),
    )
    crops = {view: crop_instance(read_instance(path.read_bytes())) for view, path in paths.items()}
    _write_json(folder / GOLDEN, golden_answer(estimate_study(crops, model)))


def _seal(folder: Path, manifest: Manifest) -> None:
    """Write the manifest with every file's hash, and the manifest's own beside it."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = {
        name: FileInfo(sha256=file_sha256(folder, name), size_bytes=(folder / name).stat().st_size) for name in names
    }
    content = manifest.model_copy(update={"files": files}).model_dump_json(indent=2).encode() + b"\n"
    (folder / MANIFEST).write_bytes(content)
    (folder / MANIFEST_SHA256).write_text(manifest_sha256_line(hashlib.sha256(content).hexdigest()))


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
