"""Sanity checks of class activation maps: do they depend on what was learned, and on tissue that matters.

Randomisation: maps of the same heads on a backbone of random weights, and of heads whose weights are dealt to other
features, should have little in common with the real ones [1]_. Deletion: greying out the tissue of the highest |CAM|
should move the head's output more than greying out as much other tissue.

References
----------
.. [1] Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018.
.. [2] Samek et al., "Evaluating the visualization of what a deep neural network has learned", IEEE TNNLS 2017
   (deletion against random deletion).
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from app.adapters.bundle.onnx_networks import OnnxBackbone
from app.core.cam import class_activation_map
from app.core.heads import predict
from app.core.tensors import resize, to_tensor
from app.core.values import Floats, GreyImage, LinearHead, Target, View
from training.explanations import CohortImages, Network, fit_without
from training.heads import Indices
from training.progress import progress
from training.protocol import CUTOFF_PERCENT, StudyProtocol
from training.resnet50 import build_resnet50
from training.solvers import Design
from training.weights import seeded_weights

Cells = NDArray[np.bool_]
"""Of the last feature map, shape (7, 7)."""
MAP_CHECKS = "map_checks.json"
DELETED_SHARE = 0.2
"""Of the cells that hold tissue."""
_FEATHER_SHARE = 0.25
"""Of a cell's side: standard deviation of a greyed-out patch's edge."""
_SIDE = 7
_MOST_EXAMINED = 8
"""Participants: with four views, about 25 s of one core."""
_DRAWS = 3
"""Random sets of tissue an image."""
_PERMUTATIONS = 10
_N_CALIBRATION = 4
_RANDOM_SEED = 2018
"""Of the random backbone; the year of the check."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MapCheck(_Strict):
    """What the checks say of one target's maps; means over images.

    Attributes
    ----------
    target : Target
    maps : int
        How many maps; those that are the same in all tissue, as of a head without any feature, are left out.
    on_tissue, tissue : float
        Mean share of the |CAM| on cells that hold tissue, and mean share of those cells: a map that looks elsewhere
        has the first below the second.
    random_backbone, random_head : float
        Mean |Spearman| between a map and the one of a randomised backbone, or head, over the cells that hold tissue.
    highest, random : float
        Mean absolute change of the head's output, percentage points or log-odds, when the tissue of the highest
        |CAM| is greyed out, or as much random tissue.
    wins : float
        Share of the images in which the highest changes more than the mean of the random draws.
    """

    target: Target
    maps: int
    on_tissue: float
    tissue: float
    random_backbone: float
    random_head: float
    highest: float
    random: float
    wins: float


class MapChecks(_Strict):
    """Checks of all targets, and who was examined by heads fitted on whom."""

    examined: int
    fitted_on: int
    targets: tuple[MapCheck, ...]


@dataclass(frozen=True, slots=True)
class ImageCheck:
    """One map's checks; `MapCheck` says what the numbers are."""

    target: Target
    on_tissue: float
    tissue: float
    random_backbone: float
    random_head: float
    highest: float
    random: float


_AVERAGED = tuple(field.name for field in fields(ImageCheck) if field.name != "target")


class Changes(NamedTuple):
    """How much deletion changes a head's output, absolute, in its unit; random is a mean over draws."""

    highest: float
    random: float


def check_maps(
    features: Mapping[View, Design],
    pdff_percent: Floats,
    protocol: StudyProtocol,
    images: CohortImages,
    randomised: Network,
) -> MapChecks:
    """Examine the maps of some participants, by heads that were fitted without any of them.

    Parameters
    ----------
    features : mapping of View to Design
    pdff_percent : ndarray of float64, shape (n_participants,)
    protocol : StudyProtocol
    images : CohortImages
    randomised : Network
        As `images.network`, with random weights.

    Returns
    -------
    MapChecks
        The same for the same arguments: draws are seeded by the protocol.
    """
    examined = spread(pdff_percent)
    heads = {
        view: fit_without(design, pdff_percent, examined, tuple(Target), protocol)
        for view, design in progress(features.items(), "heads to check", len(features), "view")
    }
    work = [(int(i), view) for i in examined for view in features]
    found = [
        check
        for i, view in progress(work, "checks of maps", len(work), "image")
        for check in check_image(
            images.tissue(i, view), heads[view], (images.network, randomised),
            np.random.default_rng([protocol.seed, i, list(View).index(view)]),
        )
    ]  # fmt: skip
    return MapChecks(
        examined=len(examined),
        fitted_on=len(pdff_percent) - len(examined),
        targets=tuple(summarise(target, found) for target in Target if any(each.target == target for each in found)),
    )


def spread(pdff_percent: Floats) -> Indices:
    """Choose participants evenly over the ranks of PDFF: up to eight, and an eighth at most, so that enough teach.

    Middles of equal parts, not their ends: a small class, which heads need, loses no more than its share.
    """
    n = len(pdff_percent)
    count = max(1, min(_MOST_EXAMINED, n // 8))
    ranks = ((np.arange(count) + 0.5) * n / count).astype(np.intp)
    return np.asarray(np.argsort(pdff_percent, kind="stable")[ranks])


def check_image(
    tissue: GreyImage,
    heads: Mapping[Target, LinearHead],
    networks: tuple[Network, Network],
    rng: np.random.Generator,
) -> list[ImageCheck]:
    """Check one image's maps of all heads; a map that is the same in all tissue is left out.

    Parameters
    ----------
    tissue : ndarray of uint8, shape (rows, columns)
    heads : mapping of Target to LinearHead
    networks : tuple of Network
        The real one, the randomised one.
    rng : numpy.random.Generator

    Returns
    -------
    list of ImageCheck
    """
    real, _ = networks
    seen = resize(tissue, real.preprocessing.size, real.preprocessing.resampling)
    cells = tissue_cells(seen)
    activation, other = (network.look_at([seen]).activation[0] for network in networks)
    cams = {target: class_activation_map(head, activation) for target, head in heads.items()}
    cams = {target: cam for target, cam in cams.items() if np.ptp(cam[cells]) > 0}
    changes = deletion_changes(seen, cams, heads, real, rng)
    return [
        ImageCheck(
            target=target,
            on_tissue=float(np.abs(cam[cells]).sum() / np.abs(cam).sum()),
            tissue=float(cells.mean()),
            random_backbone=similarity(cam, class_activation_map(heads[target], other), cells),
            random_head=_similarity_to_dealt(cam, heads[target], activation, cells, rng),
            highest=changes[target].highest,
            random=changes[target].random,
        )
        for target, cam in cams.items()
    ]


def deletion_changes(
    seen: GreyImage,
    cams: Mapping[Target, Floats],
    heads: Mapping[Target, LinearHead],
    network: Network,
    rng: np.random.Generator,
) -> dict[Target, Changes]:
    """Change of each head's output when the tissue of its highest |CAM| goes, and when random tissue does.

    Parameters
    ----------
    seen : ndarray of uint8, shape (224, 224)
        Tissue at the backbone's size.
    cams : mapping of Target to ndarray of float64, shape (7, 7)
    heads : mapping of Target to LinearHead
    network : Network
    rng : numpy.random.Generator

    Returns
    -------
    dict of Target to Changes
        All heads share the random draws.
    """
    cells = tissue_cells(seen)
    drawn = [highest_cells(rng.random(cells.shape), cells) for _ in range(_DRAWS)]
    highest = [highest_cells(cam, cells) for cam in cams.values()]
    gap = network.look_at([seen, *(without(seen, each) for each in (*drawn, *highest))]).gap
    outputs = {target: np.array([predict(heads[target], row) for row in gap]) for target in cams}
    changes = {target: np.abs(each[1:] - each[0]) for target, each in outputs.items()}
    return {
        target: Changes(float(change[_DRAWS + k]), float(change[:_DRAWS].mean()))
        for k, (target, change) in enumerate(changes.items())
    }


def sector(seen: GreyImage) -> NDArray[np.bool_]:
    """Pixels between the first and the last lit one of their column: speckle has black pixels too."""
    lit = seen > 0
    below, above = np.logical_or.accumulate(lit, axis=0), np.logical_or.accumulate(lit[::-1], axis=0)[::-1]
    return np.asarray(below & above)


def tissue_cells(seen: GreyImage) -> Cells:
    """Cells of the map of which at least half shows tissue."""
    size = seen.shape[0] // _SIDE
    return np.asarray(sector(seen).reshape(_SIDE, size, _SIDE, size).mean(axis=(1, 3)) >= 0.5)


def highest_cells(cam: Floats, cells: Cells) -> Cells:
    """Mark the cells of the highest |CAM|, `DELETED_SHARE` of those that hold tissue."""
    count = max(1, round(DELETED_SHARE * int(cells.sum())))
    order = np.argsort(np.where(cells, -np.abs(cam), np.inf), axis=None, kind="stable")
    marked = np.zeros(cells.size, np.bool_)
    marked[order[:count]] = True
    return marked.reshape(cells.shape)


def without(seen: GreyImage, cells: Cells) -> GreyImage:
    """Grey out the tissue of some cells, softly.

    It takes the tissue's mean grey: texture and local brightness go, the picture's brightness and the sector's outline
    stay. Black would read as outside the sector, a blur would keep how brightness falls with depth, a sign of fat.
    The patch fades out at its edge: a sharp edge is a structure of its own, which moves outputs wherever it lies.
    """
    inside = sector(seen)
    side = seen.shape[0] // _SIDE
    weight = gaussian_filter(np.kron(cells, np.ones((side, side))), _FEATHER_SHARE * side)
    grey = seen + (seen[inside].mean() - seen) * weight
    return np.where(inside, np.rint(grey), seen).astype(np.uint8)


def similarity(first: Floats, second: Floats, cells: Cells) -> float:
    """|Spearman| of two maps over the cells that hold tissue; a map without any difference is like none."""
    one, two = first[cells], second[cells]
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        return 0.0
    return abs(float(spearmanr(one, two).statistic))


def _similarity_to_dealt(
    cam: Floats, head: LinearHead, activation: NDArray[np.float32], cells: Cells, rng: np.random.Generator
) -> float:
    """Mean similarity to maps of heads whose weights are dealt to other features."""
    dealt = (replace(head, weights=rng.permutation(head.weights)) for _ in range(_PERMUTATIONS))
    return float(np.mean([similarity(cam, class_activation_map(each, activation), cells) for each in dealt]))


def summarise(target: Target, checks: Sequence[ImageCheck]) -> MapCheck:
    """Average one target's checks."""
    of_target = [each for each in checks if each.target == target]
    means = {name: float(np.mean([getattr(each, name) for each in of_target])) for name in _AVERAGED}
    wins = float(np.mean([each.highest > each.random for each in of_target]))
    return MapCheck(target=target, maps=len(of_target), wins=wins, **means)


def randomised_network(images: CohortImages) -> Network:
    """Draw the network whose maps have learned nothing, calibrated on a few of the cohort's images."""
    preprocessing = images.network.preprocessing
    view = next(iter(images.cohort[0].paths))
    pictures = [images.tissue(i, view) for i in range(min(_N_CALIBRATION, len(images.cohort)))]
    tensors = np.stack([to_tensor(picture, preprocessing) for picture in pictures])
    return Network(images.draw_random(tensors), preprocessing)


def random_resnet50(tensors: NDArray[np.float32], threads: int) -> OnnxBackbone:
    """Draw a ResNet-50 of random weights, batch norms calibrated on images of shape (n, 3, 224, 224)."""
    graph = build_resnet50(seeded_weights(_RANDOM_SEED, tensors).state)
    with tempfile.TemporaryDirectory() as folder:  # a session keeps what it has read
        path = Path(folder) / "random.onnx"
        path.write_bytes(graph.SerializeToString())
        return OnnxBackbone(path, threads)


def printed_checks(checks: MapChecks) -> dict[str, str]:
    """Say it in the report's rows."""
    rows = {
        "Heads": f"fitted on {checks.fitted_on} participants, examined on the images of {checks.examined} others",
        "Randomised": "mean |Spearman| with the real maps: 1 is the same map, unrelated maps as smooth have 0.2 to 0.3",
        "Deletion": f"change of the output when {_share(DELETED_SHARE)} of the tissue is greyed out",
    }
    for each in checks.targets:
        rows |= {f"{_title(each.target)}: {what}": said for what, said in _printed_check(each).items()}
    return rows


def _printed_check(check: MapCheck) -> dict[str, str]:
    return {
        "randomised backbone": f"{check.random_backbone:.2f} ({check.maps} maps)",
        "randomised head": f"{check.random_head:.2f}",
        "deletion": _deletion(check),
        "on tissue": f"{_share(check.on_tissue)} of the |CAM|, on {_share(check.tissue)} of the cells",
    }


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _title(target: Target) -> str:
    return "PDFF" if target is Target.PDFF else f"PDFF ≥ {CUTOFF_PERCENT[target]:.0f} %"


def _deletion(check: MapCheck) -> str:
    unit = "percentage points" if check.target is Target.PDFF else "log-odds"
    times = f"{check.highest / check.random:.1f} times as much" if check.random > 0 else "random tissue changes nothing"
    return (
        f"highest |CAM| {check.highest:.2f}, random {check.random:.2f} {unit}: {times}; "
        f"more in {_share(check.wins)} of the images"
    )
