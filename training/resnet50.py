"""ResNet-50 v1.5 as an ONNX graph, written from a state dict with torchvision's names: torch is not needed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  # what opset 17 was released with: any ONNX Runtime since 1.12 reads it
INPUT_SIZE = 224
N_FEATURES = 2048
BATCH_NORM_EPSILON = 1e-5
_BLOCKS = {"layer1": (3, 64), "layer2": (4, 128), "layer3": (6, 256), "layer4": (3, 512)}
_EXPANSION = 4

StateDict = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True, slots=True)
class ConvLayer:
    """One convolution and the batch norm behind it.

    Attributes
    ----------
    conv, norm : str
        Prefixes of the parameters in torchvision's state dict.
    shape : tuple of int
        (out channels, in channels, kernel height, kernel width).
    stride : int
    """

    conv: str
    norm: str
    shape: tuple[int, int, int, int]
    stride: int

    @property
    def padding(self) -> int:
        """Zeros on each side that keep the size at stride 1."""
        return self.shape[2] // 2


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """Three convolutions and a shortcut, which is a convolution where the shape changes."""

    name: str
    convs: tuple[ConvLayer, ConvLayer, ConvLayer]
    shortcut: ConvLayer | None


STEM = ConvLayer("conv1", "bn1", (64, 3, 7, 7), 2)


def bottlenecks() -> Iterator[Bottleneck]:
    """List the sixteen residual blocks.

    References
    ----------
    .. [1] He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1. v1.5 (the published
       torchvision weights) strides in the 3 x 3 convolution rather than in the first 1 x 1.
    """
    n_in = STEM.shape[0]
    for layer, (n_blocks, width) in _BLOCKS.items():
        for index in range(n_blocks):
            stride = 2 if index == 0 and layer != "layer1" else 1
            yield _bottleneck(f"{layer}.{index}", n_in, width, stride, first=index == 0)
            n_in = width * _EXPANSION


def _bottleneck(name: str, n_in: int, width: int, stride: int, *, first: bool) -> Bottleneck:
    n_out = width * _EXPANSION
    convs = (
        ConvLayer(f"{name}.conv1", f"{name}.bn1", (width, n_in, 1, 1), 1),
        ConvLayer(f"{name}.conv2", f"{name}.bn2", (width, width, 3, 3), stride),
        ConvLayer(f"{name}.conv3", f"{name}.bn3", (n_out, width, 1, 1), 1),
    )
    down = ConvLayer(f"{name}.downsample.0", f"{name}.downsample.1", (n_out, n_in, 1, 1), stride)
    return Bottleneck(name, convs, down if first else None)


def conv_layers() -> Iterator[ConvLayer]:
    """List all 53 convolutions."""
    yield STEM
    for block in bottlenecks():
        yield from block.convs
        if block.shortcut:
            yield block.shortcut


def parameter_shapes(*, with_classifier: bool = False) -> dict[str, tuple[int, ...]]:
    """Map the state dict's names to the shapes they must have."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in conv_layers():
        shapes[f"{layer.conv}.weight"] = layer.shape
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{layer.norm}.{name}"] = layer.shape[:1]
    if with_classifier:
        shapes |= {"fc.weight": (1000, N_FEATURES), "fc.bias": (1000,)}
    return shapes


def check_state_dict(state: StateDict, *, with_classifier: bool = False) -> None:
    """Refuse weights that are not a ResNet-50's.

    Raises
    ------
    ValueError
        Naming the first missing, misshapen or non-finite parameter.
    """
    for name, shape in parameter_shapes(with_classifier=with_classifier).items():
        if name not in state:
            raise ValueError(f"the weights lack {name}: a ResNet-50 with torchvision's names is needed")
        if state[name].shape != shape:
            raise ValueError(f"{name} has shape {state[name].shape}, not {shape}")
        if not np.isfinite(state[name]).all():
            raise ValueError(f"{name} holds a value that is not a finite number")


def folded(state: StateDict, layer: ConvLayer) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fold a batch norm into the convolution before it, in float64.

    Returns
    -------
    weight : ndarray of float32, shape `layer.shape`
    bias : ndarray of float32, shape (out channels,)

    References
    ----------
    .. [1] Ioffe & Szegedy, "Batch Normalization", ICML 2015, algorithm 2, step 11.
    """
    gamma, beta, mean, variance = (
        np.asarray(state[f"{layer.norm}.{name}"], np.float64)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
    weight = np.asarray(state[f"{layer.conv}.weight"], np.float64) * scale[:, None, None, None]
    return weight.astype(np.float32), (beta - mean * scale).astype(np.float32)


class GraphBuilder:
    """Collects the nodes and parameters of one graph; a subclass may normalise differently."""

    def __init__(self, state: StateDict) -> None:
        self.state = state
        self.nodes: list[onnx.NodeProto] = []
        self.parameters: list[TensorProto] = []

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node of one output and return the output's name."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def parameter(self, name: str, value: NDArray[np.generic]) -> str:
        """Add a constant and return its name."""
        self.parameters.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def conv(self, layer: ConvLayer, source: str) -> str:
        """Add a convolution with its batch norm folded in."""
        weight, bias = folded(self.state, layer)
        inputs = [
            source,
            self.parameter(f"{layer.conv}.weight", weight),
            self.parameter(f"{layer.conv}.bias", bias),
        ]
        return self.node("Conv", inputs, layer.conv, **conv_attributes(layer))

    def bottleneck(self, block: Bottleneck, source: str) -> str:
        """Add one residual block."""
        hidden = source
        for index, layer in enumerate(block.convs):
            hidden = self.conv(layer, hidden)
            if index < 2:
                hidden = self.node("Relu", [hidden], f"{layer.conv}.relu")
        shortcut = self.conv(block.shortcut, source) if block.shortcut else source
        return self.node("Relu", [self.node("Add", [hidden, shortcut], f"{block.name}.add")], f"{block.name}.relu")

    def features(self) -> str:
        """Add everything from the input to the last feature map and return that map's name."""
        hidden = self.node("Relu", [self.conv(STEM, "image")], "conv1.relu")
        hidden = self.node("MaxPool", [hidden], "maxpool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        for block in bottlenecks():
            hidden = self.bottleneck(block, hidden)
        return hidden


def conv_attributes(layer: ConvLayer) -> dict[str, list[int]]:
    """ONNX attributes of one convolution."""
    return {
        "kernel_shape": [layer.shape[2], layer.shape[3]],
        "strides": [layer.stride] * 2,
        "pads": [layer.padding] * 4,
    }


def build_resnet50(state: StateDict, *, keep_classifier: bool = False) -> onnx.ModelProto:
    """Write a ResNet-50 as an ONNX model.

    Parameters
    ----------
    state : mapping of str to ndarray
        Parameters under torchvision's names, any float type.
    keep_classifier : bool
        Whether to add the 1000-class output ``logits``.

    Returns
    -------
    onnx.ModelProto
        Input ``image`` float32 (batch, 3, 224, 224), normalised as the manifest says; outputs ``activation``
        (batch, 2048, 7, 7) and ``gap`` (batch, 2048).

    Raises
    ------
    ValueError
        If the weights are not a ResNet-50's.
    """
    check_state_dict(state, with_classifier=keep_classifier)
    graph = GraphBuilder(state)
    graph.node("Identity", [graph.features()], "activation")
    graph.node("ReduceMean", ["activation"], "gap", axes=[2, 3], keepdims=0)
    outputs: dict[str, list[str | int]] = {"activation": ["batch", N_FEATURES, 7, 7], "gap": ["batch", N_FEATURES]}
    if keep_classifier:
        weight = graph.parameter("fc.weight", np.asarray(state["fc.weight"], np.float32))
        bias = graph.parameter("fc.bias", np.asarray(state["fc.bias"], np.float32))
        graph.node("Gemm", ["gap", weight, bias], "logits", transB=1)
        outputs["logits"] = ["batch", 1000]
    return to_model(graph, outputs)


def to_model(graph: GraphBuilder, outputs: Mapping[str, list[str | int]]) -> onnx.ModelProto:
    """Close a graph and check it."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, INPUT_SIZE, INPUT_SIZE])
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    proto = helper.make_graph(graph.nodes, "resnet50", [image], infos, graph.parameters)
    model = helper.make_model(
        proto,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="liver-pdff",
    )
    onnx.checker.check_model(model, full_check=True)
    return model
