"""Where the backbone's weights come from: pretrained on phantoms, published, from a file, or seeded."""

import hashlib
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from safetensors.numpy import load_file

from training.compact_weights import load_compact
from training.resnet50 import (
    BATCH_NORM_EPSILON,
    ConvLayer,
    GraphBuilder,
    StateDict,
    conv_attributes,
    conv_layers,
    to_model,
)

PUBLISHED_URL = "https://download.pytorch.org/models/resnet50-0676ba61.pth"
"""torchvision's ResNet50_Weights.IMAGENET1K_V1, BSD-3-Clause."""
PUBLISHED_SHA256_PREFIX = "0676ba61"
"""Published in the file's name: its SHA-256 starts with these digits."""
PRETRAINED_FILE = Path(__file__).parent / "data" / "backbone_int8.npz"
"""Made by ``python -m training pretrain``, committed: see docs/decisions/0006."""
SEEDED_RESIDUAL_GAIN = 0.2
"""Scale of each residual branch: small, so that the shortcuts carry texture through sixteen random blocks.

On phantoms the averaged model's Spearman correlation is about 0.7 with it and 0.5 at 1 (96 + 100 participants).
"""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """A backbone's parameters and where they come from.

    Attributes
    ----------
    state : mapping of str to ndarray
        Parameters under torchvision's names.
    source : str
        ``"pretrained"``, ``"imagenet"``, ``"file"`` or ``"seeded"``.
    sha256 : str
        Of the file; of the parameters' bytes for seeded ones.
    description : str
        One sentence for the manifest and the model card.
    """

    state: StateDict
    source: str
    sha256: str
    description: str


def pretrained_weights(path: Path = PRETRAINED_FILE) -> Weights:
    """Read the backbone that comes with the repository, trained on simulated views: needs no network, no torch."""
    state, provenance = load_compact(path)
    return Weights(state, "pretrained", file_sha256(path), provenance)


def published_weights(cache: Path, url: str = PUBLISHED_URL, sha256_prefix: str = PUBLISHED_SHA256_PREFIX) -> Weights:
    """Fetch the published ImageNet weights once, check their hash and load them (needs torch to read .pth).

    Raises
    ------
    ValueError
        If the file's SHA-256 does not start as published: the file is then removed.
    OSError
        If it cannot be fetched.
    """
    path = cache / Path(url).name
    if not path.exists():
        fetch(url, path)
    if not file_sha256(path).startswith(sha256_prefix):
        path.unlink()
        raise ValueError(f"{url} does not have the published SHA-256 {sha256_prefix}…: removed, try again")
    weights = weights_from_file(path)
    return Weights(weights.state, "imagenet", weights.sha256, f"ImageNet-trained ResNet-50 v1.5, {path.name}")


def fetch(url: str, path: Path) -> None:
    """Download to a neighbouring name first, so that a broken transfer leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(path.suffix + ".part")
    with urllib.request.urlopen(url, timeout=60) as response, partial.open("wb") as file:  # noqa: S310 - our own URL
        while chunk := response.read(1 << 20):
            file.write(chunk)
    partial.rename(path)


def weights_from_file(path: Path) -> Weights:
    """Load a ``.safetensors`` file, or a ``.pth`` one where torch is installed.

    Raises
    ------
    ValueError
        If the suffix is another, or torch is needed and missing.
    """
    readers: dict[str, Callable[[Path], StateDict]] = {".safetensors": load_file, ".pth": _load_pth, ".pt": _load_pth}
    if path.suffix not in readers:
        raise ValueError(f"{path.name}: weights are read from .safetensors or .pth files")
    state = readers[path.suffix](path)
    return Weights(state, "file", file_sha256(path), f"ResNet-50 v1.5 weights of {path.name}")


def _load_pth(path: Path) -> dict[str, NDArray[np.floating]]:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ValueError(f"reading {path.name} needs torch: install it, or convert to .safetensors") from error
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.float().numpy() for name, tensor in state.items()}


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seeded_weights(seed: int, calibration: NDArray[np.float32]) -> Weights:
    """Draw random weights and calibrate the batch norms on images: what pretraining is compared with.

    Such features carry texture and layout but no learned concept.

    Parameters
    ----------
    seed : int
    calibration : ndarray of float32, shape (n, 3, 224, 224)
        Preprocessed images; their batch statistics become the batch norms' running ones.

    Returns
    -------
    Weights

    References
    ----------
    .. [1] He et al., "Delving Deep into Rectifiers", ICCV 2015, eq. 10 (fan-in, normal).
    """
    rng = np.random.default_rng(seed)
    state: dict[str, NDArray[np.floating]] = {}
    for layer in conv_layers():
        state |= _drawn(layer, rng)
    state |= calibrated_statistics(state, calibration)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(state[name]).tobytes() for name in sorted(state)))
    return Weights(
        state,
        "seeded",
        digest.hexdigest(),
        f"ResNet-50 v1.5, random weights (seed {seed}), batch norms calibrated on {len(calibration)} phantom images",
    )


def _drawn(layer: ConvLayer, rng: np.random.Generator) -> dict[str, NDArray[np.floating]]:
    gain = SEEDED_RESIDUAL_GAIN if layer.norm.endswith("bn3") else 1.0
    n_out, n_in, height, width = layer.shape
    deviation = np.sqrt(2 / (n_in * height * width))
    return {
        f"{layer.conv}.weight": rng.normal(0, deviation, layer.shape).astype(np.float32),
        f"{layer.norm}.weight": np.full(n_out, gain, np.float32),
        f"{layer.norm}.bias": np.zeros(n_out, np.float32),
    }


class _CalibratingBuilder(GraphBuilder):
    """Normalises by the batch's own statistics and gives them out."""

    def __init__(self, state: StateDict) -> None:
        super().__init__(state)
        self.outputs: dict[str, list[str | int]] = {}

    def conv(self, layer: ConvLayer, source: str) -> str:
        weight = self.parameter(f"{layer.conv}.weight", np.asarray(self.state[f"{layer.conv}.weight"], np.float32))
        raw = self.node("Conv", [source, weight], f"{layer.conv}.raw", **conv_attributes(layer))
        mean = self._statistic(raw, f"{layer.norm}.running_mean", layer.shape[0])
        centred = self.node("Sub", [raw, mean], f"{layer.norm}.centred")
        square = self.node("Mul", [centred, centred], f"{layer.norm}.square")
        variance = self._statistic(square, f"{layer.norm}.running_var", layer.shape[0])
        epsilon = self.parameter(f"{layer.norm}.epsilon", np.float32(BATCH_NORM_EPSILON).reshape(1))
        deviation = self.node(
            "Sqrt",
            [self.node("Add", [variance, epsilon], f"{layer.norm}.floored")],
            f"{layer.norm}.deviation",
        )
        whitened = self.node("Div", [centred, deviation], f"{layer.norm}.whitened")
        gain = np.asarray(self.state[f"{layer.norm}.weight"], np.float32).reshape(1, -1, 1, 1)
        return self.node("Mul", [whitened, self.parameter(f"{layer.norm}.weight", gain)], layer.conv)

    def _statistic(self, source: str, name: str, n_channels: int) -> str:
        self.outputs[name] = [1, n_channels, 1, 1]
        return self.node("ReduceMean", [source], name, axes=[0, 2, 3], keepdims=1)


def calibrated_statistics(state: StateDict, images: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
    """Measure every batch norm's mean and variance on images, each layer seeing the ones before it calibrated.

    Returns
    -------
    dict of str to ndarray of float32
        ``….running_mean`` and ``….running_var`` for every layer, shape (channels,).
    """
    graph = _CalibratingBuilder(state)
    graph.features()
    model = to_model(graph, graph.outputs)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(list(graph.outputs), {"image": images})
    return {name: np.asarray(value).reshape(-1) for name, value in zip(graph.outputs, values, strict=True)}
