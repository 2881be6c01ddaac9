"""onnxruntime's only door: a ResNet-50 that gives GAP features and the maps behind them."""

import threading
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from app.core.errors import BundleUnreadable, GraphMismatch, InferenceFailed
from app.core.values import Features

_CONTRACT = {
    "image": (3, 224, 224),
    "activation": (2048, 7, 7),
    "gap": (2048,),
}
"""Names and shapes behind the batch axis; all are float32."""

_ORT_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class OnnxBackbone:
    """The backbone behind one ONNX Runtime session.

    Parameters
    ----------
    path : Path
        ONNX file.
    intra_op_threads : int
        Threads of one inference. onnxruntime's own default is the host's cores, not the container's share.

    Raises
    ------
    BundleUnreadable
        If the file is not an ONNX model that this runtime can load.
    GraphMismatch
        If inputs or outputs have other names, types or shapes than the contract's.
    """

    def __init__(self, path: Path, intra_op_threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = intra_op_threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except _ORT_ERRORS as error:
            raise BundleUnreadable(
                f"{path.name} is not an ONNX model this runtime can load.", file=path.name
            ) from error
        _check_contract(self._session, path.name)
        # Two calls into one multi-threaded session fight over the same cores: one at a time is faster.
        self._turn = threading.Lock()

    def __call__(self, tensors: NDArray[np.float32]) -> Features:
        """Run a batch.

        Parameters
        ----------
        tensors : ndarray of float32, shape (n, 3, 224, 224)

        Returns
        -------
        Features

        Raises
        ------
        InferenceFailed
            If the runtime cannot run it.
        """
        try:
            with self._turn:
                (activation,) = self._session.run(["activation"], {"image": tensors})
        except _ORT_ERRORS as error:
            raise InferenceFailed("The neural network could not be run. Try again; tell the operator.") from error
        # The graph's own `gap` is a float32 sum: heads with large weights of both signs would turn its rounding
        # into 1e-5 of the answer, and a map would no longer add up to its prediction.
        return Features(gap=activation.mean(axis=(2, 3), dtype=np.float64), activation=activation)


def _check_contract(session: onnxruntime.InferenceSession, file: str) -> None:
    found = {node.name: node for node in (*session.get_inputs(), *session.get_outputs())}
    for name, shape in _CONTRACT.items():
        if name not in found:
            raise GraphMismatch(f"{file} has no input or output {name!r}.", file=file)
        if tuple(found[name].shape[1:]) != shape or found[name].type != "tensor(float)":
            raise GraphMismatch(
                f"{file}: {name} is {found[name].type} of shape {found[name].shape}, not float32 (batch, *{shape}).",
                file=file,
            )
