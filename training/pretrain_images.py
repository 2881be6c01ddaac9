"""What the backbone is pretrained on: phantom views, cropped and resized as the service does. Needs no torch."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from app.core.tensors import resize
from app.core.tissue import extract_tissue
from app.core.values import GreyImage, Preprocessing, UltrasoundRegion, View
from training.phantom import Screen, simulate_view
from training.progress import progress

_SHARD_PARTICIPANTS = 24
"""Simulated and saved together: a killed run loses at most these."""


@dataclass(frozen=True, slots=True)
class PretrainPlan:
    """Everything that decides the pretrained weights.

    Attributes
    ----------
    seed : int
        Of the phantoms, the initial weights and the order: no cohort of the demonstration or of a test has it.
    n_participants, n_validation : int
        Simulated people, four views each; the last `n_validation` only tell how training goes.
    side_pixels : int
        Side of the square image, as the service uses it: the last epoch's.
    small_side_pixels : int
        Side in the epochs before: half the work, and the features carry over once the last epoch has seen the scale
        of use (Touvron et al., "Fixing the train-test resolution discrepancy", 2019).
    n_epochs, batch_size : int
    peak_rate, weight_decay : float
        Of AdamW under a one-cycle schedule.
    shift_pixels : int
        Largest shift of an image along each axis.
    mixed_share : float
        Share of batches in which a box of each image comes from another one, and the labels with it (CutMix, Yun et
        al. 2019): every region must then speak for the tissue it shows, which is what makes a map of it mean something.
    """

    seed: int = 900
    n_participants: int = 1920
    n_validation: int = 96
    side_pixels: int = 224
    small_side_pixels: int = 160
    n_epochs: int = 6
    batch_size: int = 32
    peak_rate: float = 1e-3
    weight_decay: float = 0.02
    shift_pixels: int = 8
    mixed_share: float = 0.5

    @property
    def digest(self) -> str:
        """Short hash of all fields: names what was made from this plan."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def provenance(self) -> str:
        """One sentence for the manifest and the model card."""
        n_images = (self.n_participants - self.n_validation) * len(View)
        return (
            f"ResNet-50 v1.5, pretrained on {n_images:,} simulated views (python -m training pretrain, "
            f"seed {self.seed}, plan {self.digest}); weights rounded to 8 bits per output channel"
        )


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """Tissue crops and what is true of them.

    Attributes
    ----------
    grey : ndarray of uint8, shape (n, side, side)
    pdff_percent : ndarray of float32, shape (n,)
    view : ndarray of int64, shape (n,)
        Index in `View`.
    """

    grey: NDArray[np.uint8]
    pdff_percent: NDArray[np.float32]
    view: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.grey)

    def part(self, start: int | None, stop: int | None) -> "LabelledImages":
        """Give the images from `start` to `stop`."""
        return LabelledImages(self.grey[start:stop], self.pdff_percent[start:stop], self.view[start:stop])


def pretraining_pdff_percent(n_participants: int, seed: int) -> NDArray[np.float64]:
    """Draw fat fractions from 1 to 40 %: a quarter below 5 %, two fifths below 10 %, many above 30 %.

    Flatter than a cohort's (`draw_pdff_percent`), so that the rare high fractions are learned as well.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, n_participants]))
    share = (rng.permutation(n_participants) + rng.random(n_participants)) / n_participants
    return np.asarray(1 + 39 * share**1.6)


def tissue_image(screen: Screen, side_pixels: int) -> GreyImage:
    """Crop and resize one screen as the service does with a declared region."""
    tissue = extract_tissue(screen.pixels, (UltrasoundRegion(screen.region, spatial_format=1, data_type=1),))
    return resize(tissue.pixels, side_pixels, Preprocessing().resampling)


def write_images(plan: PretrainPlan, folder: Path, jobs: int = -1) -> LabelledImages:
    """Simulate all images in parallel processes, in shards that a killed run finds again.

    Parameters
    ----------
    plan : PretrainPlan
    folder : Path
        Receives a folder of shards.
    jobs : int
        Processes; -1 takes one per core.

    Returns
    -------
    LabelledImages
        Four per participant, in their order.
    """
    pdff_percent = pretraining_pdff_percent(plan.n_participants, plan.seed)
    shards = folder / f"images-{plan.seed}-{plan.n_participants}-{plan.side_pixels}"
    shards.mkdir(parents=True, exist_ok=True)
    starts = range(0, plan.n_participants, _SHARD_PARTICIPANTS)
    tasks = (
        delayed(_write_shard)(
            shards / f"{start:05d}.npy", start, pdff_percent[start : start + _SHARD_PARTICIPANTS], plan
        )
        for start in starts
    )
    done = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    paths = list(progress(done, "phantom images", len(starts), "shard"))
    return LabelledImages(
        grey=np.concatenate([np.load(path, allow_pickle=False) for path in paths]),
        pdff_percent=np.repeat(pdff_percent, len(View)).astype(np.float32),
        view=np.tile(np.arange(len(View)), plan.n_participants),
    )


def _write_shard(path: Path, start: int, pdff_percent: NDArray[np.float64], plan: PretrainPlan) -> Path:
    if not path.exists():
        images = [
            tissue_image(simulate_view(start + i, plan.seed, float(pdff), view), plan.side_pixels)
            for i, pdff in enumerate(pdff_percent)
            for view in View
        ]
        unfinished = path.with_name(path.name + ".part")
        with unfinished.open("wb") as file:
            np.save(file, np.stack(images))
        unfinished.replace(path)
    return path
