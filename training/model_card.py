"""The model card: what a bundle is, how good it is and where it ends."""

from collections.abc import Mapping

import numpy as np

from app.adapters.bundle.manifest import Evaluation, Manifest, OperatingPoint
from app.core.values import Target, View
from training.heads import FittedHead

_LIMITS = """\
- Not a medical device. For research; not for diagnosis.
- The published method underestimates PDFF above 30 % (bias of about 15 percentage points, Byra et al. 2021, Fig. 4).
- The published cohort was clinical (known or suspected NAFLD), from one site and one scanner (Siemens S3000, 4C1):
  figures do not carry over to screening, other scanners or other acquisition protocols.
- "Probability" is the score of a classifier fitted with balanced classes: it is not calibrated to how frequent
  steatosis is where the bundle is used.
- Gallbladder, rib and gallstone shadows were not studied as confounders.
- The four views must show what they are named for; the service reads the name, not the anatomy."""

_SYNTHETIC = "**Synthetic: not for clinical use.** Heads and figures come from simulated images, not from patients.\n\n"


def render_model_card(manifest: Manifest, heads: Mapping[View, Mapping[Target, FittedHead]], n_rows: int) -> str:
    """Write a bundle's model card.

    Parameters
    ----------
    manifest : Manifest
    heads : mapping of View to mapping of Target to FittedHead
    n_rows : int
        Rows of each training image: itself and its augmented copies.

    Returns
    -------
    str
        Markdown.

    References
    ----------
    .. [1] Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
    """
    low, high = manifest.cohort.pdff_percent_range
    return f"""\
# {manifest.name} {manifest.version}

{_SYNTHETIC if manifest.synthetic else ""}{manifest.intended_use}

## Model

Byra et al., J Ultrasound Med 2021 (doi 10.1002/jum.15693): {manifest.backbone.architecture} features of four views,
three sparse linear heads a view, outputs averaged over the views.

- Backbone: {manifest.backbone.description} (source: {manifest.backbone.source}).
- Heads: Lasso for PDFF, L1 logistic regression for PDFF >= 5 % and >= 10 %; penalty by stratified 4-fold
  cross-validation; {n_rows} row(s) an image: itself, shifted and mirrored copies.
- Made by {manifest.made_by}.

Non-zero weights of 2048:

{_sparsity_table(heads)}

## Cohort

{manifest.cohort.description}. {manifest.cohort.participants} participants, PDFF {low:.1f} to {high:.1f} %.

## Figures

{_held_out_sentence(manifest.evaluation)}

{_figures_table(manifest.evaluation)}

{_precision_sentence(manifest)}

## Operating points

{manifest.thresholds.rule}. Penalty and threshold were chosen on the training cohort's cross-validated
scores, so the figures there are optimistic; those of the held-out participants are not.

| call | score at least | training: sensitivity | specificity | held-out: sensitivity | specificity |
|---|---|---|---|---|---|
{_operating_row("PDFF >= 5 %", manifest.thresholds.ge5, manifest.evaluation.ge5)}
{_operating_row("PDFF >= 10 %", manifest.thresholds.ge10, manifest.evaluation.ge10)}

## Limits

{_LIMITS}
"""


def _sparsity_table(heads: Mapping[View, Mapping[Target, FittedHead]]) -> str:
    rows = [
        f"| {view} | " + " | ".join(str(np.count_nonzero(each[target].head.weights)) for target in Target) + " |"
        for view, each in heads.items()
    ]
    return "\n".join(["| view | PDFF | >= 5 % | >= 10 % |", "|---|---|---|---|", *rows])


def _figures_table(evaluation: Evaluation) -> str:
    rows = [
        f"| {name} | {f.spearman:.2f} | {f.pearson:.2f} | {f.auc_ge5:.2f} | {f.auc_ge10:.2f} "
        f"| {f.mean_absolute_error_percent:.1f} |"
        for name, f in evaluation.models.items()
    ]
    header = "| model | Spearman | Pearson | AUC >= 5 % | AUC >= 10 % | mean absolute error, % |"
    return "\n".join([header, "|---|---|---|---|---|---|", *rows])


def _precision_sentence(manifest: Manifest) -> str:
    """Say how the backbone computes, and beside a low precision what the full one gave."""
    if manifest.reference is None:
        return f"The backbone computes in {manifest.backbone.precision}."
    full = manifest.reference.averaged
    return (
        f"The backbone computes in {manifest.backbone.precision}; the heads were fitted on its own features. "
        f"In fp32 ({manifest.reference.name} {manifest.reference.version}, same participants) the averaged model had "
        f"Spearman {full.spearman:.3f}, AUC {full.auc_ge5:.3f} and {full.auc_ge10:.3f}."
    )


def _held_out_sentence(evaluation: Evaluation) -> str:
    n, n_ge5, n_ge10 = evaluation.participants, evaluation.participants_ge5, evaluation.participants_ge10
    return f"{evaluation.method}: {n} participants, {n_ge5} with PDFF >= 5 %, {n_ge10} with PDFF >= 10 %."


def _operating_row(call: str, training: OperatingPoint, held_out: OperatingPoint) -> str:
    return (
        f"| {call} | {training.probability:.3f} | {training.sensitivity:.2f} | {training.specificity:.2f} "
        f"| {held_out.sensitivity:.2f} | {held_out.specificity:.2f} |"
    )
