"""Cohort -> features, through the service's own reader, crop, tensor and backbone: one preprocessing, no skew."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from app.adapters.bundle.onnx_networks import OnnxBackbone
from app.core.tensors import to_tensor
from app.core.values import Floats, Preprocessing, View
from training.augmentation import augment, draw_augmentations
from training.cohort import Participant
from training.images import read_tissue
from training.progress import progress
from training.protocol import StudyProtocol
from training.solvers import Design

PLAIN = StudyProtocol(n_rows=1)
"""Every image as it is, and no augmented copy."""


@dataclass(frozen=True, slots=True, eq=False)
class CohortFeatures:
    """What the backbone says of a cohort's images, and of their augmented copies.

    Attributes
    ----------
    participant_ids : tuple of str
    pdff_percent : ndarray of float64, shape (n_participants,)
    views : mapping of View to Design
        GAP features of each view's images, shape (n_images, n_rows, 2048).
    backbone_sha256 : str
        Of the ONNX file that made them: heads belong to one backbone.
    """

    participant_ids: tuple[str, ...]
    pdff_percent: Floats
    views: Mapping[View, Design]
    backbone_sha256: str

    def first(self, n: int) -> "CohortFeatures":
        """Keep the first participants, for a smaller study."""
        kept = {view: design.first(n) for view, design in self.views.items()}
        return CohortFeatures(self.participant_ids[:n], self.pdff_percent[:n], kept, self.backbone_sha256)

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file without pickles."""
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {
            "participant_ids": np.asarray(self.participant_ids, dtype=np.str_),
            "pdff_percent": self.pdff_percent,
            "backbone": self.backbone_sha256,
        }
        for view, design in self.views.items():
            arrays |= {f"{view}/X": design.X, f"{view}/n_images": design.n_images}
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "CohortFeatures":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            views = {
                view: Design(file[f"{view}/X"], _owner(file[f"{view}/n_images"]))
                for view in View
                if f"{view}/X" in file
            }
            ids = tuple(map(str, file["participant_ids"]))
            return cls(ids, file["pdff_percent"], views, str(file["backbone"]))


def extract_features(
    cohort: Sequence[Participant],
    onnx_file: Path,
    preprocessing: Preprocessing,
    protocol: StudyProtocol = PLAIN,
    *,
    threads: int,
    label: str,
) -> CohortFeatures:
    """Run a cohort through the backbone, one participant's images at a time, as the service does.

    Parameters
    ----------
    cohort : sequence of Participant
    onnx_file : Path
        The backbone.
    preprocessing : Preprocessing
    protocol : StudyProtocol
        How many rows an image has, shifts and reflections.
    threads : int
        Of one inference.
    label : str
        What the progress bar says.

    Returns
    -------
    CohortFeatures

    Raises
    ------
    ValueError
        Naming the file that cannot be used.
    """
    backbone = OnnxBackbone(onnx_file, threads)
    tensors = progress(participant_tensors(cohort, preprocessing, protocol), label, len(cohort), "participant")
    gaps = [_by_image(backbone(batch).gap, protocol) for batch in tensors]
    return CohortFeatures(
        participant_ids=tuple(participant.participant_id for participant in cohort),
        pdff_percent=np.array([participant.pdff_percent for participant in cohort]),
        views={view: _of_view(view, cohort, gaps) for view in cohort[0].paths},
        backbone_sha256=hashlib.sha256(onnx_file.read_bytes()).hexdigest(),
    )


def participant_tensors(
    cohort: Iterable[Participant], preprocessing: Preprocessing, protocol: StudyProtocol = PLAIN
) -> Iterator[NDArray[np.float32]]:
    """Read every participant's images, each batch of shape (n_images * n_rows, 3, 224, 224), ahead in threads."""
    parallel = Parallel(n_jobs=2, prefer="threads", return_as="generator")
    yield from parallel(delayed(read_tensors)(participant, preprocessing, protocol) for participant in cohort)


def read_tensors(
    participant: Participant, preprocessing: Preprocessing, protocol: StudyProtocol
) -> NDArray[np.float32]:
    """Read one participant's images, view after view, each with its augmented copies behind it."""
    return np.stack(
        [
            to_tensor(augment(tissue, drawn), preprocessing)
            for view, paths in participant.paths.items()
            for number, tissue in enumerate(map(read_tissue, paths), start=1)
            for drawn in draw_augmentations(protocol, participant.participant_id, view, number)
        ]
    )


def _by_image(gap: Floats, protocol: StudyProtocol) -> Floats:
    """Put rows of one image together, shape (n_images, n_rows, 2048)."""
    return gap.reshape(-1, protocol.n_rows, gap.shape[1])


def _of_view(view: View, cohort: Sequence[Participant], gaps: Sequence[Floats]) -> Design:
    """Take one view's images out of every participant's, which stand view after view."""
    taken = []
    for participant, gap in zip(cohort, gaps, strict=True):
        before = sum(len(paths) for other, paths in participant.paths.items() if _order(other) < _order(view))
        taken.append(gap[before : before + len(participant.paths[view])])
    return Design(np.concatenate(taken), _owner(np.array([len(each) for each in taken])))


def _owner(n_images: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Whose each image is; None where everybody has one."""
    return None if (n_images == 1).all() else np.repeat(np.arange(len(n_images)), n_images)


def _order(view: View) -> int:
    return list(View).index(view)
