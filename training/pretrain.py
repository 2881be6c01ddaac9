"""Pretrain the ResNet-50 on simulated views: the one place that trains a network, and needs torch.

The network is a table of named parameters and a walk over the layer table of `training.resnet50`, as the ONNX graph
is: one architecture, two writers. Training is resumable by epoch, and each epoch draws from a generator of its own,
so that a killed run ends where an uninterrupted one does.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional

from app.core.values import Preprocessing, View
from training.pretrain_images import LabelledImages, PretrainPlan, write_images
from training.progress import progress
from training.resnet50 import BATCH_NORM_EPSILON, N_FEATURES, STEM, Bottleneck, ConvLayer, bottlenecks, conv_layers

Parameters = dict[str, Tensor]

_BATCH_NORM_MOMENTUM = 0.1
_PDFF_SCALE = 10.0
"""Percent PDFF per unit of the regression output: brings its loss to the others' size."""
_CUTOFFS_PERCENT = (5.0, 10.0)
_VIEW_LOSS = 0.2
"""The view is easy: it only keeps anatomy in the features."""
_GAMMA_DEVIATION, _GAIN_DEVIATION = 0.15, 0.12
"""Of the logarithms of the grey map's exponent and of the gain."""


def pretrain(out: Path, work: Path, plan: PretrainPlan) -> Path:
    """Simulate, train and write the weights under torchvision's names.

    Parameters
    ----------
    out : Path
        The ``.safetensors`` file to write.
    work : Path
        Receives images and checkpoints, which a killed run finds again.
    plan : PretrainPlan

    Returns
    -------
    Path
        `out`.
    """
    images = write_images(plan, work)
    n_validation = plan.n_validation * len(View)
    training, validation = images.part(None, -n_validation), images.part(-n_validation, None)
    run = start_run(plan, len(training))
    checkpoint = work / f"checkpoint-{plan.digest}.pt"
    if checkpoint.exists():
        run.load(checkpoint)
    for epoch in range(run.epochs_done, plan.n_epochs):
        loss = train_epoch(run, training, epoch)
        run.save(checkpoint)
        print(f"epoch {epoch + 1}/{plan.n_epochs}: loss {loss:.3f}, {validation_figures(run, validation)}", flush=True)
    save_file(backbone_state(run.network), out)
    return out


def initial_network(seed: int) -> Parameters:
    """Draw the backbone's parameters and one linear layer of seven outputs, all under torchvision's names.

    Convolutions as He et al. 2015; the last batch norm of each block starts at zero, so that every block starts as
    its shortcut (Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 5.1).
    """
    generator = torch.Generator().manual_seed(seed)
    network: Parameters = {}
    for layer in conv_layers():
        n_out, _, height, width = layer.shape
        drawn = torch.randn(layer.shape, generator=generator) * (2 / (n_out * height * width)) ** 0.5
        network[f"{layer.conv}.weight"] = drawn.to(memory_format=torch.channels_last)
        network[f"{layer.norm}.weight"] = torch.full((n_out,), 0.0 if layer.norm.endswith("bn3") else 1.0)
        network[f"{layer.norm}.bias"] = torch.zeros(n_out)
        network[f"{layer.norm}.running_mean"] = torch.zeros(n_out)
        network[f"{layer.norm}.running_var"] = torch.ones(n_out)
    n_outputs = 1 + len(_CUTOFFS_PERCENT) + len(View)
    network["fc.weight"] = torch.randn((n_outputs, N_FEATURES), generator=generator) * N_FEATURES**-0.5
    network["fc.bias"] = torch.zeros(n_outputs)
    for name in learned_names(network):
        network[name].requires_grad_()
    return network


def learned_names(network: Parameters) -> list[str]:
    """Name what the optimiser moves: all but the batch norms' running statistics."""
    return [name for name in network if "running" not in name]


def features(network: Parameters, images: Tensor, *, training: bool) -> Tensor:
    """Walk the layer table: normalised images (n, 3, side, side) to GAP features (n, 2048)."""

    def conv(layer: ConvLayer, hidden: Tensor) -> Tensor:
        weight = network[f"{layer.conv}.weight"]
        hidden = functional.conv2d(hidden, weight, stride=layer.stride, padding=layer.padding)
        mean, variance, gamma, beta = (
            network[f"{layer.norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(
            hidden, mean, variance, gamma, beta, training, _BATCH_NORM_MOMENTUM, BATCH_NORM_EPSILON
        )

    def bottleneck(block: Bottleneck, source: Tensor) -> Tensor:
        first, second, third = block.convs
        hidden = functional.relu(conv(second, functional.relu(conv(first, source))))
        shortcut = conv(block.shortcut, source) if block.shortcut else source
        return functional.relu(conv(third, hidden) + shortcut)

    hidden = functional.max_pool2d(functional.relu(conv(STEM, images)), 3, 2, 1)
    for block in bottlenecks():
        hidden = bottleneck(block, hidden)
    return hidden.mean((2, 3))


def outputs(network: Parameters, images: Tensor, *, training: bool) -> Tensor:
    """PDFF / `_PDFF_SCALE`, two log odds, four view scores; shape (n, 7)."""
    with torch.autocast("cpu", torch.bfloat16):
        gap = features(network, images, training=training)
    return functional.linear(gap.float(), network["fc.weight"], network["fc.bias"])


def normalised(grey: Tensor) -> Tensor:
    """Bring grey levels 0 to 1, (n, 1, side, side), into the form that the backbone is used with."""
    preprocessing = Preprocessing()
    mean, deviation = torch.tensor(preprocessing.mean), torch.tensor(preprocessing.std)
    scaled = (grey - mean.view(1, 3, 1, 1)) / deviation.view(1, 3, 1, 1)
    return scaled.to(memory_format=torch.channels_last)


def augmented(grey: Tensor, shift_pixels: int, generator: torch.Generator) -> Tensor:
    """Reflect, shift, and vary gain and grey map of images in 0 to 1; black stays black."""
    n, _, side, _ = grey.shape
    gamma = torch.exp(_GAMMA_DEVIATION * torch.randn((n, 1, 1, 1), generator=generator))
    gain = torch.exp(_GAIN_DEVIATION * torch.randn((n, 1, 1, 1), generator=generator))
    grey = (gain * grey**gamma).clamp(0, 1)
    flip = torch.rand((n, 1, 1, 1), generator=generator) < 0.5
    grey = torch.where(flip, grey.flip(3), grey)
    padded = functional.pad(grey, [shift_pixels] * 4)
    corners = torch.randint(0, 2 * shift_pixels + 1, (n, 2), generator=generator).tolist()
    windows = [padded[i, :, row : row + side, column : column + side] for i, (row, column) in enumerate(corners)]
    return torch.stack(windows)


def mixed(grey: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Paste one box of every image over another's, and mix the targets by the tissue (not black) that each shows."""
    side = grey.shape[-1]
    partner = torch.randperm(len(grey), generator=generator)
    centre, extent = torch.rand(2, generator=generator), torch.rand((), generator=generator).sqrt() / 2
    (top, left), (bottom, right) = (((centre + way * extent).clamp(0, 1) * side).int().tolist() for way in (-1, 1))
    pasted = grey.clone()
    pasted[..., top:bottom, left:right] = grey[partner, :, top:bottom, left:right]
    tissue = pasted > 0
    share = tissue[..., top:bottom, left:right].sum((1, 2, 3)) / tissue.sum((1, 2, 3)).clamp(min=1)
    return pasted, torch.lerp(targets, targets[partner], share[:, None])


def targets_of(pdff_percent: Tensor, view: Tensor) -> Tensor:
    """Give what `outputs` should say, as values and probabilities; shape (n, 7)."""
    cutoffs = [pdff_percent >= cutoff_percent for cutoff_percent in _CUTOFFS_PERCENT]
    return torch.column_stack([pdff_percent / _PDFF_SCALE, *cutoffs, functional.one_hot(view, len(View))])


def loss_of(predicted: Tensor, targets: Tensor) -> Tensor:
    """Huber loss of PDFF plus cross entropies of both cut-offs and, with a small weight, of the view."""
    ends = (1, 1 + len(_CUTOFFS_PERCENT))
    (pdff, cutoffs, view), (true_pdff, true_cutoffs, true_view) = (
        torch.tensor_split(columns, ends, dim=1) for columns in (predicted, targets)
    )
    return (
        functional.smooth_l1_loss(pdff, true_pdff)
        + len(_CUTOFFS_PERCENT) * functional.binary_cross_entropy_with_logits(cutoffs, true_cutoffs)
        + _VIEW_LOSS * functional.cross_entropy(view, true_view)
    )


@dataclass(slots=True, eq=False)
class Run:
    """A training in progress: what a checkpoint holds."""

    plan: PretrainPlan
    network: Parameters
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    epochs_done: int = 0

    def save(self, path: Path) -> None:
        """Write a checkpoint under a temporary name, then rename."""
        unfinished = path.with_name(path.name + ".part")
        state = {
            "network": {name: value.detach() for name, value in self.network.items()},
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "epochs_done": self.epochs_done,
        }
        torch.save(state, unfinished)
        unfinished.replace(path)

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        with torch.no_grad():
            for name, value in state["network"].items():
                self.network[name].copy_(value)
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.epochs_done = state["epochs_done"]


def start_run(plan: PretrainPlan, n_images: int) -> Run:
    """Set up network, AdamW and a one-cycle schedule that rises for an epoch; scales and biases are not decayed."""
    network = initial_network(plan.seed)
    learned = [network[name] for name in learned_names(network)]
    groups = [
        {"params": [value for value in learned if value.ndim > 1], "weight_decay": plan.weight_decay},
        {"params": [value for value in learned if value.ndim == 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=plan.peak_rate)
    n_steps = plan.n_epochs * (n_images // plan.batch_size)
    warm_up = 1 / plan.n_epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.peak_rate, total_steps=n_steps, pct_start=warm_up)
    return Run(plan, network, optimiser, schedule)


def train_epoch(run: Run, images: LabelledImages, epoch: int) -> float:
    """Go through all images once in an order of the epoch's own and return the mean loss."""
    generator = torch.Generator().manual_seed(1000 * run.plan.seed + epoch)
    order = torch.randperm(len(images), generator=generator)
    n_batches = len(images) // run.plan.batch_size
    batches = order[: n_batches * run.plan.batch_size].view(n_batches, -1)
    watched = progress(batches, f"epoch {epoch + 1}/{run.plan.n_epochs}", n_batches, "batch")
    last = epoch == run.plan.n_epochs - 1
    side = run.plan.side_pixels if last else run.plan.small_side_pixels
    losses = [_step(run, images, batch.numpy(), side, generator) for batch in watched]
    run.epochs_done = epoch + 1
    return float(np.mean(losses))


def _step(run: Run, images: LabelledImages, batch: NDArray[np.int64], side: int, generator: torch.Generator) -> float:
    targets = targets_of(torch.from_numpy(images.pdff_percent[batch]), torch.from_numpy(images.view[batch]))
    grey = augmented(resized(_unit_grey(images.grey[batch]), side), run.plan.shift_pixels, generator)
    if torch.rand((), generator=generator) < run.plan.mixed_share:
        grey, targets = mixed(grey, targets, generator)
    loss = loss_of(outputs(run.network, normalised(grey), training=True), targets)
    run.optimiser.zero_grad()
    torch.autograd.backward(loss)
    run.optimiser.step()
    run.schedule.step()
    return float(loss.detach())


def resized(grey: Tensor, side: int) -> Tensor:
    """Scale square images, antialiased."""
    return functional.interpolate(grey, size=(side, side), mode="bilinear", antialias=True)


def _unit_grey(grey: NDArray[np.uint8]) -> Tensor:
    """Bring uint8 images, (n, side, side), to 0 to 1 and (n, 1, side, side)."""
    return torch.from_numpy(grey)[:, None].float() / 255


def validation_figures(run: Run, images: LabelledImages) -> str:
    """Say how participants not trained on are told: by single images, and by the mean of the four."""
    with torch.no_grad():
        predicted = torch.cat(
            [
                outputs(run.network, normalised(_unit_grey(images.grey[start : start + 48])), training=False)
                for start in range(0, len(images), 48)
            ]
        ).numpy()
    pdff_percent = predicted[:, 0] * _PDFF_SCALE
    one = spearmanr(pdff_percent, images.pdff_percent).statistic
    four = spearmanr(*(x.reshape(-1, len(View)).mean(axis=1) for x in (pdff_percent, images.pdff_percent))).statistic
    error_percent = np.abs(pdff_percent - images.pdff_percent).mean()
    return f"validation Spearman {one:.3f} (four views {four:.3f}), mean error of one view {error_percent:.1f} %"


def backbone_state(network: Parameters) -> dict[str, NDArray[np.float32]]:
    """Give the backbone's parameters, without the training heads, under torchvision's names."""
    return {
        name: np.ascontiguousarray(value.detach().numpy())
        for name, value in network.items()
        if not name.startswith("fc.")
    }
