"""A backbone in 8-bit integers: static, calibrated on training images, one weight scale per channel."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from app.adapters.bundle.manifest import Precision

_QUANTISED = ["Conv", "Add", "MaxPool"]
"""The sum and the pooling too: an activation that leaves 8 bits in between would cost more than it gains."""


class _Calibration(CalibrationDataReader):  # type: ignore[misc] # onnxruntime has no types
    """Gives images one batch at a time."""

    def __init__(self, tensors: Iterator[NDArray[np.float32]]) -> None:
        self._tensors = tensors

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Give the next batch, or None behind the last."""
        tensor = next(self._tensors, None)
        return None if tensor is None else {"image": tensor}


def quantise(backbone: onnx.ModelProto, calibration: Iterator[NDArray[np.float32]]) -> onnx.ModelProto:
    """Turn a backbone's arithmetic into 8-bit integers, with the same names and shapes.

    Parameters
    ----------
    backbone : onnx.ModelProto
        Of `training.resnet50.build_resnet50`.
    calibration : iterator of ndarray of float32, shape (n, 3, 224, 224)
        Images whose activations span the ranges; of training participants.

    Returns
    -------
    onnx.ModelProto
        With QuantizeLinear and DequantizeLinear nodes around every convolution.

    Notes
    -----
    Weights keep to 7 bits. Without VNNI, processors add two products of 8 bits in 16, which can overflow: the same
    bundle would then answer otherwise on another machine.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "fp32.onnx"), Path(folder, "int8.onnx")
        onnx.save(backbone, source)
        quantize_static(
            source,
            target,
            _Calibration(calibration),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            op_types_to_quantize=_QUANTISED,
        )
        return onnx.load(target)


def precision_of(backbone: onnx.ModelProto) -> Precision:
    """Tell ``"int8"`` from ``"fp32"``."""
    return "int8" if any(node.op_type == "QuantizeLinear" for node in backbone.graph.node) else "fp32"
