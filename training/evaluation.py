"""Nested leave-one-out: features and reference values -> held-out predictions, with certificates and checkpoints."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from scipy.special import expit
from threadpoolctl import threadpool_limits

from app.core.values import Floats, Target, View
from training.heads import grid_search
from training.predictions import AVERAGED, COMPOSITE, HeldOutPredictions, Predictions, average
from training.progress import progress
from training.protocol import StudyProtocol
from training.solvers import Design, SingleClassError, check_side_by_side, side_by_side

_FORMAT = "nested leave-one-out, 2"
"""Part of a checkpoint's name: change it when results can change, and no old checkpoint is read."""
TARGETS = tuple(Target)


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """What rounds of one model gave; the second axis is in the order of `Target`.

    Attributes
    ----------
    outputs : ndarray of float64, shape (n_rounds, 3)
        Percent PDFF, and log-odds at both cutoffs, for the held-out participant.
    chosen : ndarray of int64, shape (n_rounds, 3)
        Index of the chosen penalty.
    relative_gaps : ndarray of float64, shape (n_rounds, 3)
        Largest duality gap among the round's fits, relative to the objective: at most 1e-6.
    """

    outputs: Floats
    chosen: np.ndarray
    relative_gaps: Floats


@dataclass(frozen=True, slots=True, eq=False)
class NestedLeaveOneOut:
    """A whole evaluation.

    Attributes
    ----------
    predictions : HeldOutPredictions
    rounds : mapping of str to Rounds
        By view, then ``"composite"``.
    protocol : StudyProtocol
    """

    predictions: HeldOutPredictions
    rounds: Mapping[str, Rounds]
    protocol: StudyProtocol

    @property
    def relative_gap(self) -> float:
        """Largest certificate of all fits."""
        return max(float(rounds.relative_gaps.max()) for rounds in self.rounds.values())


@dataclass(frozen=True, slots=True)
class _Batch:
    """Rounds of one model that are computed, and kept, together."""

    model: str
    number: int
    held_out: tuple[int, ...]


def nested_leave_one_out(
    features: Mapping[View, Design],
    pdff_percent: Floats,
    protocol: StudyProtocol,
    *,
    participant_ids: Sequence[str] | None = None,
    jobs: int | None = 1,
    checkpoint: Path | None = None,
    rounds_per_batch: int = 15,
) -> NestedLeaveOneOut:
    """Predict each participant by models that have never seen them.

    Parameters
    ----------
    features : mapping of View to Design
        Of each view. Only training reads augmented rows; a participant's several images are never split.
    pdff_percent : ndarray of float64, shape (n_participants,)
        Reference PDFF, percent.
    protocol : StudyProtocol
    participant_ids : sequence of str, optional
        Counted from 0 if left out.
    jobs : int, optional
        Processes. None leaves it to ``joblib.parallel_config``, for example ``backend="dask"``.
    checkpoint : Path, optional
        Directory for finished batches of rounds. A rerun with the same features, labels and protocol reads them.
    rounds_per_batch : int
        Rounds that one process computes, and keeps, together.

    Returns
    -------
    NestedLeaveOneOut
        The same to the last bit for any `jobs` and batches, interrupted or not.

    Raises
    ------
    ValueError
        If shapes disagree or values are not finite.
    SingleClassError
        If a training set of some round has one class only.
    NotConvergedError

    References
    ----------
    .. [1] Byra et al., J Ultrasound Med 2021, "Model Development and Evaluation".
    """
    _validate(features, pdff_percent)
    models = _models(features)
    batches = [batch for model in models for batch in _batches(model, len(pdff_percent), rounds_per_batch)]
    store = None if checkpoint is None else _Store(checkpoint, _key(features, pdff_percent, protocol))
    done = {batch: rounds for batch in batches if store and (rounds := store.read(batch)) is not None}
    todo = [batch for batch in batches if batch not in done]
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    work = parallel(delayed(_run)(models[batch.model], pdff_percent, protocol, batch) for batch in todo)
    for batch, rounds in progress(work, "leave-one-out", len(todo), "batch"):
        done[batch] = rounds
        if store:
            store.write(batch, rounds)
    per_model = {model: _merge(model, done, len(pdff_percent)) for model in models}
    ids = participant_ids if participant_ids is not None else [str(i) for i in range(len(pdff_percent))]
    return NestedLeaveOneOut(_predictions(tuple(ids), pdff_percent, per_model), per_model, protocol)


def _validate(features: Mapping[View, Design], pdff_percent: Floats) -> None:
    if not features:
        raise ValueError("there is no view to evaluate")
    for view, design in features.items():
        if len(design.n_images) != len(pdff_percent):
            raise ValueError(f"{view}: features of {len(design.n_images)} participants, but {len(pdff_percent)} labels")
        if not np.isfinite(design.X).all():
            raise ValueError(f"{view}: a feature is not a finite number")
    check_side_by_side(list(features.values()))  # the composite is computed last: refuse now, not after an hour
    if not np.isfinite(pdff_percent).all():
        raise ValueError("pdff_percent holds a value that is not a finite number")


def _models(features: Mapping[View, Design]) -> dict[str, list[Design]]:
    """Features of each fitted model: a view's own, or all views' for the composite model."""
    models = {str(view): [design] for view, design in features.items()}
    return models if len(features) == 1 else {**models, COMPOSITE: list(features.values())}


def _batches(model: str, n: int, rounds_per_batch: int) -> Iterator[_Batch]:
    """Every k-th participant: where the table is sorted by PDFF, batches cost about the same."""
    count = -(-n // rounds_per_batch)
    for number in range(count):
        yield _Batch(model, number, tuple(range(number, n, count)))


def _run(
    parts: Sequence[Design], pdff_percent: Floats, protocol: StudyProtocol, batch: _Batch
) -> tuple[_Batch, Rounds]:
    """Compute a batch, with one BLAS thread: the order of sums, and so the last bit, is always the same."""
    with threadpool_limits(1, user_api="blas"):
        design = side_by_side(parts)
        results = [[_hold_out(design, pdff_percent, i, t, protocol) for t in TARGETS] for i in batch.held_out]
    outputs, chosen, gaps = (np.array([[one[k] for one in row] for row in results]) for k in range(3))
    return batch, Rounds(outputs, chosen, gaps)


def _hold_out(
    design: Design, pdff_percent: Floats, i: int, target: Target, protocol: StudyProtocol
) -> tuple[float, int, float]:
    """One round: train without participant i, then predict participant i."""
    others = np.delete(np.arange(len(pdff_percent)), i)
    try:
        search = grid_search(design, pdff_percent, others, target, protocol)
    except SingleClassError as error:
        raise SingleClassError(f"round of participant {i}, {target}: {error}") from error
    output = float(search.refit.predict(design, np.array([i]))[0, 0])
    return output, search.chosen, search.relative_gap


def _merge(model: str, done: Mapping[_Batch, Rounds], n: int) -> Rounds:
    """Put batches' rounds in the order of participants."""
    merged = Rounds(np.empty((n, 3)), np.empty((n, 3), np.int64), np.empty((n, 3)))
    for batch, rounds in done.items():
        if batch.model == model:
            rows = list(batch.held_out)
            merged.outputs[rows] = rounds.outputs
            merged.chosen[rows] = rounds.chosen
            merged.relative_gaps[rows] = rounds.relative_gaps
    return merged


def _predictions(ids: tuple[str, ...], pdff_percent: Floats, rounds: Mapping[str, Rounds]) -> HeldOutPredictions:
    models = {name: _outputs(each) for name, each in rounds.items()}
    composite = models.pop(COMPOSITE, None)
    if composite is not None:
        models |= {AVERAGED: average(list(models.values())), COMPOSITE: composite}
    return HeldOutPredictions(ids, pdff_percent, models)


def _outputs(rounds: Rounds) -> Predictions:
    column = {target: rounds.outputs[:, k] for k, target in enumerate(TARGETS)}
    return Predictions(column[Target.PDFF], expit(column[Target.GE5]), expit(column[Target.GE10]))


def _key(features: Mapping[View, Design], pdff_percent: Floats, protocol: StudyProtocol) -> str:
    """Name of everything that results depend on."""
    digest = hashlib.sha256(f"{_FORMAT} {protocol.sha256()}".encode())
    arrays = {f"{view} X": design.X for view, design in features.items()}
    counts = {f"{view} n_images": design.n_images for view, design in features.items()}
    for name, values in {**arrays, **counts, "pdff_percent": pdff_percent}.items():
        digest.update(f"{name} {values.shape} {values.dtype}".encode())
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Store:
    """Finished batches on disk, each written whole or not at all."""

    root: Path
    key: str

    def _path(self, batch: _Batch) -> Path:
        return self.root / self.key[:16] / f"{batch.model}-{batch.number:03d}.npz"

    def read(self, batch: _Batch) -> Rounds | None:
        """Read a batch, or None if it is not there or belongs to another question."""
        path = self._path(batch)
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as file:
            if str(file["key"]) != self.key or tuple(file["held_out"].tolist()) != batch.held_out:
                return None
            return Rounds(file["outputs"], file["chosen"], file["relative_gaps"])

    def write(self, batch: _Batch, rounds: Rounds) -> None:
        """Write a batch beside its place, then move it there."""
        path = self._path(batch)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part")
        with partial.open("wb") as file:
            np.savez(
                file,
                key=np.array(self.key),
                held_out=np.array(batch.held_out),
                outputs=rounds.outputs,
                chosen=rounds.chosen,
                relative_gaps=rounds.relative_gaps,
            )
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
