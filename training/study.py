"""The paper's whole protocol on one cohort: augmented features -> nested leave-one-out -> results, tables, figures."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from app.adapters.bundle.onnx_networks import OnnxBackbone
from app.core.values import Preprocessing
from training.cohort import Participant, read_cohort
from training.evaluation import NestedLeaveOneOut, nested_leave_one_out
from training.explanations import CASES, CohortImages, Network, explain_cases, load_cases, save_cases
from training.features import CohortFeatures, extract_features
from training.figures import CamCase
from training.map_checks import MAP_CHECKS, MapChecks, check_maps, printed_checks, random_resnet50, randomised_network
from training.protocol import StudyProtocol
from training.report import write_report
from training.results import Results, build_results, read_results, write_results
from training.weights import file_sha256

RESULTS = "results.json"


def cached_features(
    table: Path, onnx_file: Path, protocol: StudyProtocol, folder: Path, *, threads: int, label: str
) -> CohortFeatures:
    """Extract a cohort's features, unless those of the same images, backbone and protocol are in the folder."""
    cohort = read_cohort(table)
    path = folder / f"features-{_key(cohort, table, onnx_file, protocol)[:16]}.npz"
    if path.exists():
        return CohortFeatures.load(path)
    features = extract_features(cohort, onnx_file, Preprocessing(), protocol, threads=threads, label=label)
    features.save(path)
    return features


def _key(cohort: Sequence[Participant], table: Path, onnx_file: Path, protocol: StudyProtocol) -> str:
    """Name everything that features depend on, every image's bytes among it."""
    digest = hashlib.sha256(table.read_bytes() + protocol.sha256().encode())
    images = [path for participant in cohort for paths in participant.paths.values() for path in paths]
    for path in (onnx_file, *images):
        digest.update(file_sha256(path).encode())
    return digest.hexdigest()


def cohort_images(cohort: Sequence[Participant], onnx_file: Path, threads: int) -> CohortImages:
    """Open the images behind a cohort's features: maps are made of them after the evaluation."""
    network = Network(OnnxBackbone(onnx_file, threads), Preprocessing())
    return CohortImages(cohort, network, partial(random_resnet50, threads=threads))


def evaluate_features(
    features: CohortFeatures,
    protocol: StudyProtocol,
    out: Path,
    *,
    description: str,
    synthetic: bool,
    jobs: int,
    images: CohortImages | None = None,
) -> Path:
    """Hold out every participant once, and write what came out; a killed run goes on where it stopped.

    Parameters
    ----------
    features : CohortFeatures
    protocol : StudyProtocol
    out : Path
        Receives ``results.json``, ``report.html``, ``tables.md``, ``figures/`` and the finished rounds; with images,
        also ``cases.npz`` and ``map_checks.json``.
    description : str
        One sentence on the cohort.
    synthetic : bool
        Whether it was simulated.
    jobs : int
        Processes.
    images : CohortImages, optional
        What the features were made of. Without them there is no Figure 5 or 6, and no check of the maps.

    Returns
    -------
    Path
        Of ``results.json``.
    """
    evaluated = nested_leave_one_out(
        features.views,
        features.pdff_percent,
        protocol,
        participant_ids=features.participant_ids,
        jobs=jobs,
        checkpoint=out / "rounds",
    )
    results = build_results(evaluated.predictions, asdict(protocol), description, synthetic=synthetic)
    path = write_results(results, out / RESULTS)
    explained = _explain(features, protocol, results, images, out) if images else _Explained()
    write_report(results, out, explained.cases, explained.extras | _certificate(evaluated))
    return path


def redraw(results: Path, out: Path) -> Path:
    """Write the report again from stored results, and from the maps beside them where there are some.

    Raises
    ------
    ValueError
        If the maps belong to other results.
    """
    cases, checks = results.with_name(CASES), results.with_name(MAP_CHECKS)
    explained = _Explained(
        load_cases(cases, results) if cases.exists() else None,
        MapChecks.model_validate_json(checks.read_bytes()) if checks.exists() else None,
    )
    return write_report(read_results(results), out, explained.cases, explained.extras)


@dataclass(frozen=True, slots=True)
class _Explained:
    """What there is to show of maps."""

    cases: tuple[CamCase, CamCase] | None = None
    checks: MapChecks | None = None

    @property
    def extras(self) -> dict[str, dict[str, str]]:
        return {"Sanity checks of the maps": printed_checks(self.checks)} if self.checks else {}


def _explain(
    features: CohortFeatures, protocol: StudyProtocol, results: Results, images: CohortImages, out: Path
) -> _Explained:
    """Map the two cases, check maps of others, and keep both for `redraw`."""
    cases = explain_cases(features.views, results, protocol, images)
    checks = check_maps(features.views, features.pdff_percent, protocol, images, randomised_network(images))
    save_cases(cases, out / CASES, out / RESULTS)
    (out / MAP_CHECKS).write_text(checks.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return _Explained(cases, checks)


def _certificate(evaluated: NestedLeaveOneOut) -> dict[str, dict[str, str]]:
    """Say how far the worst of all fits can be from its optimum."""
    return {"Optimality": {"largest relative duality gap of all fits": f"{evaluated.relative_gap:.1e}"}}
