"""A bundle's network as one ONNX graph: preprocessing, the backbone, and behind it the heads and their maps."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.core.values import Floats, Heads, LinearHead, Preprocessing, Target, View
from training.resnet50 import N_FEATURES

MAP_SIZE = 7


def build_network(backbone: onnx.ModelProto, preprocessing: Preprocessing, heads: Heads) -> onnx.ModelProto:
    """Put a backbone between its preprocessing and its heads.

    Parameters
    ----------
    backbone : onnx.ModelProto
        Input ``image``, output ``activation``: see `training.resnet50.build_resnet50`.
    preprocessing : Preprocessing
    heads : mapping of View to mapping of Target to LinearHead

    Returns
    -------
    onnx.ModelProto
        Inputs ``picture`` uint8 (batch, 224, 224), grey levels, and ``view`` int64 (batch,), the number of each
        picture's view; outputs ``value`` float64 (batch, 3), in the order of `Target`, and ``cam`` float64
        (batch, 3, 7, 7), whose mean plus the head's intercept is the value.

    Notes
    -----
    The heads run in float64: with large weights of both signs, a float32 sum would move the answer by 1e-5.
    """
    parts = [_preprocessing(preprocessing), _without_unused_outputs(backbone.graph), _heads(heads)]
    batch, side = "batch", preprocessing.size
    graph = helper.make_graph(
        [node for nodes, _ in parts for node in nodes],
        "liver_pdff",
        [
            helper.make_tensor_value_info("picture", TensorProto.UINT8, [batch, side, side]),
            helper.make_tensor_value_info("view", TensorProto.INT64, [batch]),
        ],
        [
            helper.make_tensor_value_info("value", TensorProto.DOUBLE, [batch, len(Target)]),
            helper.make_tensor_value_info("cam", TensorProto.DOUBLE, [batch, len(Target), MAP_SIZE, MAP_SIZE]),
        ],
        [parameter for _, parameters in parts for parameter in parameters],
    )
    model = helper.make_model(
        graph,
        opset_imports=backbone.opset_import,
        ir_version=backbone.ir_version,
        producer_name=backbone.producer_name,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


Part = tuple[list[onnx.NodeProto], list[TensorProto]]
"""Nodes and their parameters."""


def _preprocessing(preprocessing: Preprocessing) -> Part:
    """``picture`` -> ``image``: the operations of `app.core.tensors.to_tensor`, in their order and precision."""
    channels = {name: np.float32(getattr(preprocessing, name)).reshape(1, 3, 1, 1) for name in ("mean", "std")}
    constants = {"scale": np.float32(preprocessing.scale), "channel_axis": np.array([1], np.int64), **channels}
    nodes = [
        helper.make_node("Cast", ["picture"], ["picture_float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["picture_float", "scale"], ["picture_scaled"]),
        helper.make_node("Unsqueeze", ["picture_scaled", "channel_axis"], ["picture_grey"]),
        helper.make_node("Sub", ["picture_grey", "mean"], ["picture_centred"]),
        helper.make_node("Div", ["picture_centred", "std"], ["image"]),
    ]
    return nodes, _parameters(constants)


def _without_unused_outputs(graph: onnx.GraphProto) -> Part:
    """Keep of the backbone what leads to ``activation``: everything but the nodes behind it."""
    return [node for node in graph.node if "activation" not in node.input], list(graph.initializer)


def _heads(heads: Heads) -> Part:
    """``activation`` and ``view`` -> ``cam`` and ``value``: Zhou et al., CVPR 2016, eq. 2, of three heads at once."""
    constants = {
        "weights": _stacked(heads, lambda head: head.weights),
        "intercepts": _stacked(heads, lambda head: np.float64(head.intercept)),
        "flat": np.array([0, N_FEATURES, MAP_SIZE * MAP_SIZE], np.int64),
        "square": np.array([0, len(Target), MAP_SIZE, MAP_SIZE], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["activation"], ["activation_double"], to=TensorProto.DOUBLE),
        helper.make_node("Reshape", ["activation_double", "flat"], ["activation_flat"]),
        helper.make_node("Gather", ["weights", "view"], ["view_weights"]),
        helper.make_node("Gather", ["intercepts", "view"], ["view_intercepts"]),
        helper.make_node("MatMul", ["view_weights", "activation_flat"], ["cam_flat"]),
        helper.make_node("Reshape", ["cam_flat", "square"], ["cam"]),
        helper.make_node("ReduceMean", ["cam_flat"], ["cam_mean"], axes=[2], keepdims=0),
        helper.make_node("Add", ["cam_mean", "view_intercepts"], ["value"]),
    ]
    return nodes, _parameters(constants)


def _stacked(heads: Heads, part: Callable[[LinearHead], Floats | np.float64]) -> Floats:
    """Put one part of every head into an array of shape (4, 3, ...)."""
    return np.array([[part(heads[view][target]) for target in Target] for view in View], np.float64)


def _parameters(constants: Mapping[str, Any]) -> list[TensorProto]:
    return [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
