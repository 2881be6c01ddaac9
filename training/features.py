"""Cohort -> features, through the service's own reader, crop, tensor and backbone: one preprocessing, no skew."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from app.adapters.dicom import read_instance
from app.adapters.onnx_backbone import OnnxBackbone
from app.core.errors import AnalysisError
from app.core.pipeline import crop_instance
from app.core.tensors import to_tensor
from app.core.values import Floats, GreyImage, Preprocessing, View
from training.augmentation import augment, draw_augmentations
from training.cohort import Participant
from training.progress import progress
from training.protocol import StudyProtocol


@dataclass(frozen=True, slots=True, eq=False)
class CohortFeatures:
    """What the backbone says of a cohort.

    Attributes
    ----------
    participant_ids : tuple of str
    X : ndarray of float64, shape (n_participants, 4, 2048)
        GAP features; the second axis is in the order of `View`.
    pdff_percent : ndarray of float64, shape (n_participants,)
    backbone_sha256 : str
        Of the ONNX file that made them: heads belong to one backbone.
    """

    participant_ids: tuple[str, ...]
    X: Floats
    pdff_percent: Floats
    backbone_sha256: str

    def of(self, view: View) -> Floats:
        """Features of one view, shape (n_participants, 2048)."""
        return self.X[:, list(View).index(view)]

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file without pickles."""
        path.parent.mkdir(parents=True, exist_ok=True)
        ids = np.asarray(self.participant_ids, dtype=np.str_)
        np.savez(path, participant_ids=ids, X=self.X, pdff_percent=self.pdff_percent, backbone=self.backbone_sha256)

    @classmethod
    def load(cls, path: Path) -> "CohortFeatures":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls(tuple(map(str, file["participant_ids"])), file["X"], file["pdff_percent"], str(file["backbone"]))


@dataclass(frozen=True, slots=True, eq=False)
class AugmentedFeatures:
    """What the backbone says of a cohort's images and of their augmented copies.

    Attributes
    ----------
    participant_ids : tuple of str
    X : ndarray of float64, shape (n_participants, 4, n_rows, 2048)
        GAP features; the second axis is in the order of `View`, row 0 is the image as it is.
    pdff_percent : ndarray of float64, shape (n_participants,)
    """

    participant_ids: tuple[str, ...]
    X: Floats
    pdff_percent: Floats

    def by_view(self) -> dict[View, Floats]:
        """Features of each view, shape (n_participants, n_rows, 2048): what the evaluation takes."""
        return {view: self.X[:, k] for k, view in enumerate(View)}

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file without pickles."""
        path.parent.mkdir(parents=True, exist_ok=True)
        ids = np.asarray(self.participant_ids, dtype=np.str_)
        np.savez(path, participant_ids=ids, X=self.X, pdff_percent=self.pdff_percent)

    @classmethod
    def load(cls, path: Path) -> "AugmentedFeatures":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls(tuple(map(str, file["participant_ids"])), file["X"], file["pdff_percent"])


def extract_augmented_features(
    cohort: Sequence[Participant],
    onnx_file: Path,
    preprocessing: Preprocessing,
    protocol: StudyProtocol,
    *,
    threads: int,
    label: str,
) -> AugmentedFeatures:
    """Run a cohort's images and their augmented copies through the crop, tensor and backbone of the service.

    Parameters
    ----------
    cohort : sequence of Participant
    onnx_file : Path
        The backbone.
    preprocessing : Preprocessing
    protocol : StudyProtocol
        How many rows, shifts and reflections.
    threads : int
        Of one inference.
    label : str
        What the progress bar says.

    Returns
    -------
    AugmentedFeatures

    Raises
    ------
    ValueError
        Naming the file that cannot be used.
    """
    backbone = OnnxBackbone(onnx_file, threads)
    images = [(participant, view) for participant in cohort for view in View]
    parallel = Parallel(n_jobs=2, prefer="threads", return_as="generator")
    batches = parallel(delayed(augmented_tensors)(*image, preprocessing, protocol) for image in images)
    gaps = [backbone(batch).gap for batch in progress(batches, label, len(images), "image")]
    return AugmentedFeatures(
        participant_ids=tuple(participant.participant_id for participant in cohort),
        X=np.stack(gaps).reshape(len(cohort), len(View), protocol.n_rows, -1),
        pdff_percent=np.array([participant.pdff_percent for participant in cohort]),
    )


def augmented_tensors(
    participant: Participant, view: View, preprocessing: Preprocessing, protocol: StudyProtocol
) -> NDArray[np.float32]:
    """Read one image and its augmented copies, shape (n_rows, 3, 224, 224)."""
    tissue = read_tissue(participant.paths[view])
    drawn = draw_augmentations(protocol, participant.participant_id, view)
    return np.stack([to_tensor(augment(tissue, each), preprocessing) for each in drawn])


def extract_features(
    cohort: Sequence[Participant], onnx_file: Path, preprocessing: Preprocessing, *, threads: int, label: str
) -> CohortFeatures:
    """Run a whole cohort through the backbone, one participant's four views at a time, as the service does.

    Parameters
    ----------
    cohort : sequence of Participant
    onnx_file : Path
        The backbone.
    preprocessing : Preprocessing
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
    tensors = progress(participant_tensors(cohort, preprocessing), label, len(cohort), "participant")
    gaps = [backbone(batch).gap for batch in tensors]
    return CohortFeatures(
        participant_ids=tuple(participant.participant_id for participant in cohort),
        X=np.stack(gaps),
        pdff_percent=np.array([participant.pdff_percent for participant in cohort]),
        backbone_sha256=hashlib.sha256(onnx_file.read_bytes()).hexdigest(),
    )


def participant_tensors(cohort: Iterable[Participant], preprocessing: Preprocessing) -> Iterator[NDArray[np.float32]]:
    """Read every participant's four views, each batch of shape (4, 3, 224, 224); reading runs ahead in threads."""
    parallel = Parallel(n_jobs=2, prefer="threads", return_as="generator")
    yield from parallel(delayed(read_tensors)(participant, preprocessing) for participant in cohort)


def read_tensors(participant: Participant, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Read one participant's views, shape (4, 3, 224, 224)."""
    return np.stack([read_tensor(path, preprocessing) for path in participant.paths.values()])


def read_tensor(path: Path, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Read one image, shape (3, 224, 224)."""
    return to_tensor(read_tissue(path), preprocessing)


def read_tissue(path: Path) -> GreyImage:
    """Read one image's tissue crop."""
    try:
        return crop_instance(read_instance(path.read_bytes())).tissue.pixels
    except AnalysisError as error:
        raise ValueError(f"{path}: {error.detail}") from error
