"""python -m training: phantom, backbone, features, evaluate, figures, bundle, run in this order; or demo."""

from pathlib import Path
from typing import Annotated

import onnx
import typer

from app.core.values import Preprocessing
from app.settings import Settings
from training.bundle import Identity, write_bundle
from training.cohort import read_cohort
from training.compact_weights import compress, save_compact
from training.demo import (
    DEMO_BUNDLE,
    LOW_PRECISION_BUNDLE,
    DemoPlan,
    build_low_precision_bundle,
    ensure_demo_bundle,
    run_demo,
)
from training.features import CohortFeatures, extract_features, participant_tensors
from training.ijcars import CAUTION, import_ijcars
from training.phantom import write_cohort, write_contact_sheet
from training.pretrain_images import PretrainPlan
from training.protocol import StudyProtocol
from training.quantize import quantise
from training.resnet50 import build_resnet50
from training.study import cached_features, cohort_images, evaluate_features, redraw
from training.weights import Weights, pretrained_weights, published_weights, weights_from_file

cli = typer.Typer(no_args_is_help=True, help="Simulate, train and export: the offline half of liver-pdff.")

CohortTable = Annotated[Path, typer.Argument(help="CSV: participant_id,view,path,pdff_percent", exists=True)]


@cli.command()
def phantom(
    folder: Annotated[Path, typer.Argument(help="Receives a folder per participant, and cohort.csv.")],
    participants: Annotated[int, typer.Option(min=1)] = 135,
    seed: Annotated[int, typer.Option(min=0, help="Disjoint cohorts have different seeds.")] = 1,
) -> None:
    """Simulate a cohort of four-view studies of known PDFF."""
    typer.echo(write_cohort(folder, participants, seed))


@cli.command()
def phantom_sheet(png: Annotated[Path, typer.Argument(help="The picture to write.")]) -> None:
    """Draw a contact sheet: one simulated person, three fat fractions, four views, every vendor."""
    typer.echo(write_contact_sheet(png))


@cli.command()
def backbone(
    onnx_file: Annotated[Path, typer.Argument(help="The file to write.")],
    weights: Annotated[
        str, typer.Option(help="`imagenet`, `pretrained`, or a .safetensors or .pth file.")
    ] = "imagenet",
    keep_classifier: Annotated[bool, typer.Option(help="Add the 1000-class output `logits`.")] = False,
) -> None:
    """Write a ResNet-50 as ONNX."""
    graph = build_resnet50(_load_weights(weights).state, keep_classifier=keep_classifier)
    onnx_file.write_bytes(graph.SerializeToString())
    typer.echo(onnx_file)


@cli.command("quantise")
def quantise_backbone(
    onnx_file: Annotated[Path, typer.Argument(help="The backbone, written by `backbone`.", exists=True)],
    cohort: CohortTable,
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    participants: Annotated[int, typer.Option(min=1, help="Whose images calibrate it, from the table's top.")] = 24,
) -> None:
    """Write a backbone in 8-bit integers, calibrated on training images; its heads have to be fitted anew."""
    images = participant_tensors(read_cohort(cohort)[:participants], Preprocessing())
    onnx.save(quantise(onnx.load(onnx_file), images), out)
    typer.echo(out)


@cli.command()
def pretrain(
    out: Annotated[Path, typer.Argument(help="The .safetensors file to write, with torchvision's names.")],
    compact: Annotated[Path | None, typer.Option(help="Also write the 8-bit .npz form that demo bundles use.")] = None,
    work: Annotated[Path, typer.Option(help="Receives images and checkpoints; a killed run resumes.")] = Path(
        "var/pretrain"
    ),
) -> None:
    """Train a ResNet-50 on simulated views (needs torch; about an hour on two cores)."""
    try:
        from training.pretrain import pretrain as run_pretraining
    except ModuleNotFoundError as error:
        raise typer.BadParameter(f"{error}: pip install 'liver-pdff[pretraining]'") from error
    run_pretraining(out, work, PretrainPlan())
    if compact:
        provenance = PretrainPlan().provenance
        save_compact(compact, compress(weights_from_file(out).state), provenance)
    typer.echo(out)


@cli.command("import-ijcars")
def import_public_set(
    mat: Annotated[Path, typer.Argument(help="dataset_liver_bmodes_steatosis_assessment_IJCARS.mat", exists=True)],
    out: Annotated[Path, typer.Argument(help="Receives images/ and cohort.csv.")],
) -> None:
    """Unpack the public set of Byra et al. 2018 (Zenodo 1009146): one view, ten images a participant."""
    typer.echo(import_ijcars(mat, out))
    typer.echo(CAUTION)


@cli.command()
def features(
    cohort: CohortTable,
    onnx_file: Annotated[Path, typer.Argument(help="The backbone, written by `backbone`.", exists=True)],
    out: Annotated[Path, typer.Argument(help="The .npz file to write.")],
    rows: Annotated[int, typer.Option(min=1, help="Rows per image: itself and its augmented copies.")] = 1,
) -> None:
    """Run a cohort through the backbone, exactly as the service does."""
    people, threads = read_cohort(cohort), Settings().threads
    protocol = StudyProtocol(n_rows=rows)
    extract_features(people, onnx_file, Preprocessing(), protocol, threads=threads, label="features").save(out)
    typer.echo(out)


@cli.command()
def evaluate(
    cohort: CohortTable,
    onnx_file: Annotated[Path, typer.Argument(help="The backbone, written by `backbone`.", exists=True)],
    out: Annotated[Path, typer.Argument(help="Receives results.json, report.html and figures; a killed run resumes.")],
    description: Annotated[str, typer.Option(help="One sentence on the cohort, for the report.")],
    synthetic: Annotated[bool, typer.Option(help="Whether the cohort was simulated.")] = False,
    rows: Annotated[int, typer.Option(min=1, help="Rows per image: itself and its augmented copies.")] = 10,
    jobs: Annotated[int, typer.Option(help="Processes; -1 takes one per core.")] = -1,
) -> None:
    """Repeat the protocol of Byra et al. 2021 on a cohort: every participant held out once."""
    protocol = StudyProtocol(n_rows=rows)
    threads = Settings().threads
    rows_of_all = cached_features(cohort, onnx_file, protocol, out, threads=threads, label="augmented features")
    images = cohort_images(read_cohort(cohort), onnx_file, threads)
    typer.echo(
        evaluate_features(
            rows_of_all, protocol, out, description=description, synthetic=synthetic, jobs=jobs, images=images
        )
    )


@cli.command()
def figures(
    results: Annotated[Path, typer.Argument(help="results.json, written by `evaluate`.", exists=True)],
    out: Annotated[Path, typer.Argument(help="Receives report.html, tables.md and figures.")],
) -> None:
    """Draw the report and its figures again from results.json and the maps beside it; nothing is computed."""
    typer.echo(redraw(results, out))


@cli.command()
def bundle(
    training: Annotated[Path, typer.Argument(help="Features the heads are fitted on.", exists=True)],
    held_out: Annotated[Path, typer.Argument(help="Features of other participants, for the card.", exists=True)],
    folder: Annotated[Path, typer.Argument(help="models/NAME/VERSION")],
    weights: Annotated[
        str, typer.Option(help="What the features were made with: `imagenet`, `pretrained`, or a file.")
    ],
    description: Annotated[str, typer.Option(help="One sentence on the cohort, for the card.")],
    intended_use: Annotated[str, typer.Option()] = "Research. Not for diagnosis.",
    synthetic: Annotated[bool, typer.Option(help="Whether the cohort was simulated.")] = False,
    seed: Annotated[int, typer.Option(help="Of the cross-validation folds.")] = 0,
    quantised: Annotated[
        Path | None, typer.Option(help="The backbone that made the features, if `quantise` wrote it.", exists=True)
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="The fp32 bundle of the same cohorts that a quantised one is compared with.")
    ] = None,
) -> None:
    """Fit the heads and write a bundle that the service runs."""
    loaded = _load_weights(weights)
    identity = Identity(folder.parent.name, folder.name, synthetic, intended_use)
    graph = onnx.load(quantised) if quantised else build_resnet50(loaded.state)
    train, test = CohortFeatures.load(training), CohortFeatures.load(held_out)
    typer.echo(write_bundle(folder, identity, loaded, graph, train, test, description, seed, reference))


@cli.command()
def demo(
    out: Annotated[Path, typer.Option(help="Receives pictures, report and answer.")] = Path("out"),
    work: Annotated[Path, typer.Option(help="Receives cohorts; kept for the next run.")] = Path("var/demo"),
    only_bundle: Annotated[bool, typer.Option("--only-bundle", help="Build the bundle, and stop there.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Build the 8-bit bundle beside it too, and stop there.")] = False,
) -> None:
    """Do the whole job on simulated data: bundle, running service, four files, answer."""
    if int8:
        reference = ensure_demo_bundle(DEMO_BUNDLE, work, DemoPlan())
        typer.echo(build_low_precision_bundle(LOW_PRECISION_BUNDLE, work, DemoPlan(), reference))
    elif only_bundle:
        typer.echo(ensure_demo_bundle(DEMO_BUNDLE, work, DemoPlan()))
    else:
        run_demo(out, work)


def _load_weights(source: str) -> Weights:
    if source == "pretrained":
        return pretrained_weights()
    return published_weights(Path("var/weights")) if source == "imagenet" else weights_from_file(Path(source))


if __name__ == "__main__":
    cli()
