"""The whole job, small: phantoms -> bundle -> a running service -> four DICOM files in, answer and pictures out."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx2
import numpy as np
import onnx

from app.adapters.bundle.store import load_bundle
from app.core.errors import BundleError
from app.core.values import Preprocessing, View
from app.settings import Settings
from training.bundle import Identity, write_bundle
from training.cohort import Participant, read_cohort
from training.features import PLAIN, CohortFeatures, participant_tensors
from training.phantom import write_cohort, write_study
from training.predictions import AVERAGED
from training.progress import progress
from training.protocol import StudyProtocol
from training.quantize import quantise
from training.resnet50 import build_resnet50
from training.results import Results, read_results
from training.study import cached_features, cohort_images, evaluate_features
from training.weights import Weights, pretrained_weights, seeded_weights

INTENDED_USE = (
    "Shows that the software works, end to end, without any download. Its answers mean nothing for a patient."
)
_START_TIMEOUT_S = 60.0
DEMO_BUNDLE = Path("models/demo/1.0.0")
"""Never the bundle that settings name: that one is somebody's own."""
LOW_PRECISION_BUNDLE = Path("models/demo-int8/1.0.0")


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What the demonstration bundle is made from; every seed draws participants of its own.

    Attributes
    ----------
    n_training, n_held_out : int
        Participants that heads are fitted on, and that the card's figures come from. The held-out seed was drawn
        after every other number here was chosen, and nothing is chosen by it.
    n_calibration : int
        Training participants whose images set the seeded backbone's batch norms.
    n_quantised : int
        Training participants whose images set the ranges of an 8-bit backbone.
    training_seed, held_out_seed, study_seed, weights_seed, folds_seed : int
    backbone : str
        ``"pretrained"`` on phantoms of other seeds, or ``"seeded"``: random weights, for comparison.
    study_pdff_percent : float
        True PDFF of the study that is sent to the service.
    n_rows : int
        Rows of each training image: itself and one copy, shifted and mirrored. More cost time; without one, heads lean
        on single cells at the edge, and maps show that.
    n_evaluated : int
        Participants of the paper's protocol in small: the first that the heads are fitted on, held out one by one.
    """

    n_training: int = 135
    n_held_out: int = 100
    n_calibration: int = 4
    n_quantised: int = 24
    training_seed: int = 1
    held_out_seed: int = 1009
    study_seed: int = 3
    weights_seed: int = 50
    folds_seed: int = 0
    backbone: Literal["pretrained", "seeded"] = "pretrained"
    study_pdff_percent: float = 19.0
    n_rows: int = 2
    n_evaluated: int = 40

    @property
    def protocol(self) -> StudyProtocol:
        """What the heads are fitted and evaluated by."""
        return StudyProtocol(n_rows=self.n_rows)


def run_demo(out: Path, work: Path, plan: DemoPlan | None = None) -> None:
    """Build the demonstration bundle if it is not there, evaluate it, and show one study through the running service.

    Parameters
    ----------
    out : Path
        Receives the DICOM files, the pictures, the report, ``analysis.json``, and the evaluation in ``study/``.
    work : Path
        Receives cohorts and features, which a killed run finds again.
    plan : DemoPlan, optional
    """
    plan = plan or DemoPlan()
    bundle = ensure_demo_bundle(DEMO_BUNDLE, work, plan)
    results = evaluate_demo(work, out / "study", plan)
    paths = write_study(out / "dicom", 1, plan.study_seed, plan.study_pdff_percent)
    with running_service(bundle, f"sqlite:///{work / 'demo.db'}", out / "service.log") as service:
        analysis = send(service.client, paths)
        collect(service.client, analysis, out)
    print(summary(analysis, plan.study_pdff_percent, results, out))


def evaluate_demo(work: Path, out: Path, plan: DemoPlan) -> Results:
    """Go through the paper's protocol in small: tables, figures and report in `out`."""
    table = write_cohort(work / "training", plan.n_training, plan.training_seed)
    backbone = write_backbone(work, demo_weights(plan, read_cohort(table)))
    features = _features(table, backbone, plan.protocol).first(plan.n_evaluated)
    images = cohort_images(read_cohort(table)[: plan.n_evaluated], backbone, Settings().threads)
    path = evaluate_features(
        features,
        plan.protocol,
        out,
        description=f"The first {plan.n_evaluated} of the participants that the demonstration's heads are fitted on",
        synthetic=True,
        jobs=-1,
        images=images,
    )
    return read_results(path)


def ensure_demo_bundle(folder: Path, work: Path, plan: DemoPlan) -> Path:
    """Build the demonstration bundle unless a good one is there."""
    try:
        load_bundle(folder, Settings().threads)
    except BundleError:
        return build_demo_bundle(folder, work, plan)
    return folder


def build_demo_bundle(folder: Path, work: Path, plan: DemoPlan) -> Path:
    """Simulate two cohorts, take a backbone, fit the heads and write the bundle."""
    training, _ = tables = demo_cohorts(work, plan)
    weights = demo_weights(plan, read_cohort(training))
    return _write_demo_bundle(folder, tables, plan, weights, write_backbone(work, weights))


def build_low_precision_bundle(folder: Path, work: Path, plan: DemoPlan, reference: Path) -> Path:
    """Quantise the demonstration's backbone, and write a bundle with heads of its own beside the full-precision one.

    Raises
    ------
    ValueError
        If it ranks or separates the held-out phantoms worse than the reference by more than `training.bundle.MAX_LOSS`.
    """
    training, _ = tables = demo_cohorts(work, plan)
    weights = demo_weights(plan, read_cohort(training))
    images = participant_tensors(read_cohort(training)[: plan.n_quantised], Preprocessing())
    path = work / "backbone-int8.onnx"
    onnx.save(quantise(onnx.load(write_backbone(work, weights)), images), path)
    return _write_demo_bundle(folder, tables, plan, weights, path, reference)


def demo_cohorts(work: Path, plan: DemoPlan) -> tuple[Path, Path]:
    """Simulate the participants that heads are fitted on, and those held out; give their tables."""
    return (
        write_cohort(work / "training", plan.n_training, plan.training_seed),
        write_cohort(work / "held-out", plan.n_held_out, plan.held_out_seed),
    )


def _write_demo_bundle(
    folder: Path,
    tables: tuple[Path, Path],
    plan: DemoPlan,
    weights: Weights,
    backbone: Path,
    reference: Path | None = None,
) -> Path:
    training, held_out = tables
    return write_bundle(
        folder,
        Identity(folder.parent.name, folder.name, synthetic=True, intended_use=INTENDED_USE),
        weights,
        onnx.load(backbone),
        _features(training, backbone, plan.protocol),
        _features(held_out, backbone, PLAIN),
        cohort=f"Simulated studies (python -m training phantom, seed {plan.training_seed})",
        seed=plan.folds_seed,
        reference=reference,
    )


def write_backbone(work: Path, weights: Weights) -> Path:
    """Write a backbone as ONNX; the same weights give the same bytes, so that cached features are found again."""
    path = work / "backbone.onnx"
    path.write_bytes(build_resnet50(weights.state).SerializeToString())
    return path


def _features(table: Path, backbone: Path, protocol: StudyProtocol) -> CohortFeatures:
    """Run a cohort through the backbone, unless that was done; they lie beside the table."""
    label = f"{table.parent.name} features"
    threads = Settings().threads
    return cached_features(table, backbone, protocol, table.parent, threads=threads, label=label)


def demo_weights(plan: DemoPlan, training: list[Participant]) -> Weights:
    """Take the pretrained backbone, or seed one and calibrate it on a few participants' images."""
    if plan.backbone == "pretrained":
        return pretrained_weights()
    images = participant_tensors(training[: plan.n_calibration], Preprocessing())
    return seeded_weights(plan.weights_seed, np.concatenate(list(images)))


@dataclass(frozen=True, slots=True, eq=False)
class RunningService:
    """A service in a process of its own, and a client that knows its address."""

    client: httpx2.Client
    process: subprocess.Popen[bytes]


@contextmanager
def running_service(
    bundle: Path, database_url: str, log: Path, port: int | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[RunningService]:
    """Start ``liver-pdff serve`` on the loopback, at a free port unless one is given, and stop it afterwards."""
    port = port or free_port()
    named = {"LIVER_PDFF_BUNDLE": str(bundle), "LIVER_PDFF_DATABASE_URL": database_url}
    variables = {**os.environ, **named, **(environment or {})}
    command = [sys.executable, "-m", "app.cli", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as file, subprocess.Popen(command, env=variables, stdout=file, stderr=file) as process:  # noqa: S603 - our own service
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                wait_until_ready(client, process, log)
                yield RunningService(client, process)
        finally:
            process.terminate()


def free_port() -> int:
    """Find a free port on the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(client: httpx2.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    """Poll /readyz until it answers 200.

    Raises
    ------
    RuntimeError
        With the service's own words, if it stops or does not become ready.
    """
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/readyz").is_success:
                return
        except httpx2.ConnectError:
            pass  # not listening yet
        time.sleep(0.1)
    raise RuntimeError(f"the service did not become ready:\n{log.read_text()}")


def send(client: httpx2.Client, paths: dict[View, Path]) -> dict[str, Any]:
    """Post four files, each under its view's field."""
    files = {str(view): (f"{view}.dcm", path.read_bytes(), "application/dicom") for view, path in paths.items()}
    response = client.post("/v1/analyses", files=files)
    if not response.is_success:
        raise RuntimeError(f"the service refused the study: {response.text}")
    return dict(response.json())


def collect(client: httpx2.Client, analysis: dict[str, Any], out: Path) -> None:
    """Save what the service shows of an analysis."""
    wanted = {out / "analysis.json": f"/v1/analyses/{analysis['id']}"}
    wanted[out / "report.html"] = f"/v1/analyses/{analysis['id']}/report"
    for view in analysis["views"]:
        wanted[out / f"{view['view']}.tissue.png"] = view["tissue_url"]
        for target in ("pdff", "ge5", "ge10"):
            wanted[out / f"{view['view']}.overlay.{target}.png"] = f"{view['overlay_url']}?target={target}"
    for path, url in progress(wanted.items(), "pictures", len(wanted), "file"):
        path.write_bytes(client.get(url).raise_for_status().content)


def summary(analysis: dict[str, Any], true_pdff_percent: float, results: Results, out: Path) -> str:
    """Say what came out, beside the truth that only a phantom has."""
    estimate = analysis["estimate"]
    views = "\n".join(
        f"    {view['view']:<28} {view['pdff_percent']:6.1f} %   P(>=5 %) {view['probability_ge5']:.2f}   "
        f"P(>=10 %) {view['probability_ge10']:.2f}"
        for view in analysis["views"]
    )
    warnings = "\n".join(f"    {warning['detail']}" for warning in analysis["warnings"])
    bundle = analysis["bundle"]
    return f"""
  liver-pdff demo: one simulated study, four DICOM files, through the running service

    true PDFF of the phantom     {true_pdff_percent:6.1f} %
    estimated PDFF               {estimate["pdff_percent"]:6.1f} %   P(>=5 %) {estimate["probability_ge5"]:.2f}   \
P(>=10 %) {estimate["probability_ge10"]:.2f}

{views}

    bundle {bundle["name"]} {bundle["version"]}, sha256 {bundle["sha256"][:16]}…
{warnings}
    {analysis["notice"]}

    pictures, report and answer: {out}/   (open {out}/report.html)
    the paper's protocol in small, {len(results.participants)} phantoms held out one by one: \
{_printed_figures(results)}   (open {out}/study/report.html)
"""


def _printed_figures(results: Results) -> str:
    """Say how the averaged multiview model ranks those whom it has not seen."""
    row = next(row for row in results.tables.table_3 if row.model == AVERAGED)
    found = results.models[AVERAGED]
    return f"Spearman {row.scc.value:.2f}, AUC {found.ge5.auc:.2f} (>= 5 %) and {found.ge10.auc:.2f} (>= 10 %)"
