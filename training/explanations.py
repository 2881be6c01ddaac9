"""Maps of heads that have not seen the participant: the cases of Figures 5 and 6, and the file that keeps them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from app.core.cam import class_activation_map
from app.core.heads import predict, probability
from app.core.tensors import to_tensor
from app.core.values import Backbone, Features, Floats, GreyImage, LinearHead, Preprocessing, Target, View
from training.cohort import Participant
from training.figures import CamCase, CamPanel
from training.heads import Indices, grid_search
from training.images import read_tissue
from training.progress import progress
from training.protocol import StudyProtocol
from training.results import Results, choose_cases
from training.solvers import Design
from training.weights import file_sha256

CASES = "cases.npz"
_NAMES = ("right", "wrong")


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A backbone and the preprocessing that it was trained with."""

    backbone: Backbone
    preprocessing: Preprocessing

    def look_at(self, pictures: Sequence[GreyImage]) -> Features:
        """Run grey pictures, each of shape (rows, columns), through the service's own tensor and the backbone."""
        return self.backbone(np.stack([to_tensor(picture, self.preprocessing) for picture in pictures]))


@dataclass(frozen=True, slots=True, eq=False)
class CohortImages:
    """The images behind a cohort's features.

    Attributes
    ----------
    cohort : sequence of Participant
        In the order of the features.
    network : Network
        What made the features.
    draw_random : callable
        Makes a backbone like the network's, of random weights, from calibration images of shape (n, 3, 224, 224).
    """

    cohort: Sequence[Participant]
    network: Network
    draw_random: Callable[[NDArray[np.float32]], Backbone]

    def tissue(self, i: int, view: View) -> GreyImage:
        """Read a participant's tissue crop of a view; of several images the first."""
        return read_tissue(self.cohort[i].paths[view][0])


def fit_without(
    design: Design, pdff_percent: Floats, left_out: Indices, targets: Sequence[Target], protocol: StudyProtocol
) -> dict[Target, LinearHead]:
    """Fit heads of one view on everyone but some participants, as a round of the evaluation does.

    Parameters
    ----------
    design : Design
        Features of the view.
    pdff_percent : ndarray of float64, shape (n_participants,)
    left_out : ndarray of int, shape (m,)
        Nothing of theirs is read.
    targets : sequence of Target
    protocol : StudyProtocol

    Returns
    -------
    dict of Target to LinearHead
        With one participant left out, the very head of that participant's round, up to the solver's tolerance.

    Raises
    ------
    SingleClassError, NotConvergedError
    """
    others = np.delete(np.arange(len(pdff_percent)), left_out)
    heads = {}
    with threadpool_limits(1, user_api="blas"):  # as in the rounds: the order of sums is always the same
        for target in targets:
            weights, intercepts = grid_search(design, pdff_percent, others, target, protocol).refit.raw(design)
            heads[target] = LinearHead(weights[0], float(intercepts[0]))
    return heads


def explain_cases(
    features: Mapping[View, Design], results: Results, protocol: StudyProtocol, images: CohortImages
) -> tuple[CamCase, CamCase]:
    """Make the maps of the participants that `choose_cases` names, by heads that have not seen them.

    Parameters
    ----------
    features : mapping of View to Design
    results : Results
        Of these features: its order of participants is theirs.
    protocol : StudyProtocol
    images : CohortImages

    Returns
    -------
    tuple of CamCase
        The right one, the wrong one.
    """
    ids = [each.participant_id for each in results.participants]
    chosen = choose_cases(results)
    return (
        explain_case(features, results, protocol, images, ids.index(chosen.right), "maps of the right case"),
        explain_case(features, results, protocol, images, ids.index(chosen.wrong), "maps of the wrong case"),
    )


def explain_case(
    features: Mapping[View, Design],
    results: Results,
    protocol: StudyProtocol,
    images: CohortImages,
    i: int,
    label: str,
) -> CamCase:
    """Map every view of participant i; `label` is what the progress bar says."""
    panels = {
        view: explain(design, results, protocol, images, i, view)
        for view, design in progress(features.items(), label, len(features), "view")
    }
    participant = results.participants[i]
    return CamCase(participant.participant_id, participant.pdff_percent, panels)


def explain(
    design: Design, results: Results, protocol: StudyProtocol, images: CohortImages, i: int, view: View
) -> CamPanel:
    """Map one view of participant i by a >= 5 % head that was fitted without them."""
    head = fit_without(design, results.pdff_percent, np.array([i]), [Target.GE5], protocol)[Target.GE5]
    tissue = images.tissue(i, view)
    seen = images.network.look_at([tissue])
    p = probability(predict(head, seen.gap[0]))
    threshold = results.models[view].ge5.operating_point.probability
    return CamPanel(tissue, class_activation_map(head, seen.activation[0]), p, called_positive=p >= threshold)


def save_cases(cases: tuple[CamCase, CamCase], path: Path, results: Path) -> None:
    """Keep what Figures 5 and 6 show beside the results it belongs to: an ``.npz`` file without pickles.

    Parameters
    ----------
    cases : tuple of CamCase
        The right one, the wrong one.
    path : Path
    results : Path
        ``results.json``: its hash goes into the file, so that maps of another run are told apart.
    """
    arrays: dict[str, NDArray[np.generic]] = {"results": np.array(file_sha256(results))}
    for name, case in zip(_NAMES, cases, strict=True):
        arrays |= _arrays(name, case)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its keywords hide a flag of type bool
    partial.replace(path)


def load_cases(path: Path, results: Path) -> tuple[CamCase, CamCase]:
    """Read what `save_cases` wrote.

    Raises
    ------
    ValueError
        If the file belongs to other results.
    """
    with np.load(path, allow_pickle=False) as file:
        if str(file["results"]) != file_sha256(results):
            raise ValueError(f"{path} was not made with {results}: run evaluate again, or remove it")
        right, wrong = (_read_case(name, file) for name in _NAMES)
    return right, wrong


def _arrays(name: str, case: CamCase) -> dict[str, NDArray[np.generic]]:
    arrays: dict[str, NDArray[np.generic]] = {
        f"{name}/participant_id": np.array(case.participant_id),
        f"{name}/pdff_percent": np.array(case.pdff_percent),
        f"{name}/views": np.array([str(view) for view in case.panels]),
    }
    for view, panel in case.panels.items():
        arrays |= {
            f"{name}/{view}/tissue": panel.tissue,
            f"{name}/{view}/cam": panel.cam,
            f"{name}/{view}/probability": np.array(panel.probability),
            f"{name}/{view}/called_positive": np.array(panel.called_positive),
        }
    return arrays


def _read_case(name: str, file: Mapping[str, NDArray[np.generic]]) -> CamCase:
    panels = {View(view): _read_panel(f"{name}/{view}", file) for view in file[f"{name}/views"].tolist()}
    return CamCase(str(file[f"{name}/participant_id"]), float(file[f"{name}/pdff_percent"].item()), panels)


def _read_panel(name: str, file: Mapping[str, NDArray[np.generic]]) -> CamPanel:
    return CamPanel(
        tissue=np.asarray(file[f"{name}/tissue"], np.uint8),
        cam=np.asarray(file[f"{name}/cam"], np.float64),
        probability=float(file[f"{name}/probability"].item()),
        called_positive=bool(file[f"{name}/called_positive"].item()),
    )
