"""onnxruntime's only door: a bundle's whole network, and the bare backbone that training reads features from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from app.core.errors import BundleUnreadable, GraphMismatch, InferenceFailed, ProviderUnavailable
from app.core.values import Features, HeadOutputs, Target, View

_N_TARGETS: Final = len(Target)
_BACKBONE_CONTRACT: Final = {
    "image": ("tensor(float)", (3, 224, 224)),
    "activation": ("tensor(float)", (2048, 7, 7)),
    "gap": ("tensor(float)", (2048,)),
}
_NETWORK_CONTRACT: Final = {
    "picture": ("tensor(uint8)", (224, 224)),
    "view": ("tensor(int64)", ()),
    "value": ("tensor(double)", (_N_TARGETS,)),
    "cam": ("tensor(double)", (_N_TARGETS, 7, 7)),
}
"""Names, types and shapes behind the batch axis."""

Provider = Literal["cpu", "openvino", "cuda"]
_PROVIDERS: Final[Mapping[Provider, tuple[str, dict[str, str]]]] = {
    "cpu": ("CPUExecutionProvider", {}),
    # OpenVINO would take bfloat16 where the processor has it, and all cores for each call
    "openvino": ("OpenVINOExecutionProvider", {"device_type": "CPU", "precision": "FP32", "num_of_threads": "1"}),
    "cuda": ("CUDAExecutionProvider", {"use_tf32": "0"}),
}
_VIEW_NUMBERS: Final = {view: number for number, view in enumerate(View)}

_ORT_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class OnnxNetwork:
    """A bundle's network behind one ONNX Runtime session: grey pictures in, three heads' values and maps out.

    A call runs in the thread that makes it, on one core; several may call at once (`app.adapters.bundle.engine`).

    Parameters
    ----------
    path : Path
        ONNX file.
    provider : Provider
        What computes it. There is no falling back from one to another.

    Raises
    ------
    ProviderUnavailable
        If this onnxruntime does not come with the provider, or it cannot start.
    BundleUnreadable
        If the file is not an ONNX model that this runtime can load.
    GraphMismatch
        If inputs or outputs have other names, types or shapes than the contract's.
    """

    def __init__(self, path: Path, provider: Provider = "cpu") -> None:
        self._session = _open(path, 1, _NETWORK_CONTRACT, provider)

    def __call__(self, pictures: NDArray[np.uint8], views: Sequence[View]) -> HeadOutputs:
        """Run a batch.

        Parameters
        ----------
        pictures : ndarray of uint8, shape (n, 224, 224)
        views : sequence of View, length n
            Whose heads answer.

        Returns
        -------
        HeadOutputs

        Raises
        ------
        InferenceFailed
            If the runtime cannot run it.
        """
        numbers = np.array([_VIEW_NUMBERS[view] for view in views], np.int64)
        return HeadOutputs(*_run(self._session, ["value", "cam"], {"picture": pictures, "view": numbers}))


class PlainNetwork:
    """A third party's network that turns a batch of pictures into one array, on one core.

    Parameters
    ----------
    path : Path
        ONNX file with one input and one output.

    Raises
    ------
    BundleUnreadable
        If the file is not an ONNX model that this runtime can load.
    """

    def __init__(self, path: Path) -> None:
        self._session = _open(path, 1, {}, "cpu")
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    def __call__(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run a batch.

        Raises
        ------
        InferenceFailed
            If the runtime cannot run it.
        """
        (answer,) = _run(self._session, [self._output], {self._input: pictures})
        return np.asarray(answer, np.float32)

    def note(self, name: str) -> str:
        """Return one of the texts that travel in the file beside the network; empty if there is none."""
        return str(self._session.get_modelmeta().custom_metadata_map.get(name, ""))


class OnnxBackbone:
    """The backbone alone, as training writes it.

    Parameters
    ----------
    path : Path
        ONNX file.
    intra_op_threads : int
        Threads of one inference. onnxruntime's own default is the host's cores, not the container's share.

    Raises
    ------
    BundleUnreadable, GraphMismatch
        As `OnnxNetwork`.
    """

    def __init__(self, path: Path, intra_op_threads: int) -> None:
        self._session = _open(path, intra_op_threads, _BACKBONE_CONTRACT)

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
        (activation,) = _run(self._session, ["activation"], {"image": tensors})
        # The graph's own `gap` is a float32 sum: heads with large weights of both signs would turn its rounding
        # into 1e-5 of the answer, and a map would no longer add up to its prediction.
        return Features(gap=activation.mean(axis=(2, 3), dtype=np.float64), activation=activation)


def _open(
    path: Path, intra_op_threads: int, contract: Mapping[str, tuple[str, tuple[int, ...]]], provider: Provider = "cpu"
) -> onnxruntime.InferenceSession:
    name, provider_options = _PROVIDERS[provider]
    if name not in onnxruntime.get_available_providers():
        raise _unavailable(name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[(name, provider_options)])
    except _ORT_ERRORS as error:
        raise BundleUnreadable(f"{path.name} is not an ONNX model this runtime can load.", file=path.name) from error
    if session.get_providers()[0] != name:  # onnxruntime falls back to the processor, and says so in a log alone
        raise _unavailable(name)
    _check_contract(session, contract, path.name)
    return session


def _unavailable(name: str) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"This onnxruntime has no {name} that starts. Install the package that brings it (docs/operate.md), or choose "
        "another provider."
    )


def _run(session: onnxruntime.InferenceSession, outputs: list[str], inputs: dict[str, NDArray[Any]]) -> list[Any]:
    try:
        return list(session.run(outputs, inputs))
    except _ORT_ERRORS as error:
        raise InferenceFailed("The neural network could not be run. Try again; tell the operator.") from error


def _check_contract(
    session: onnxruntime.InferenceSession, contract: Mapping[str, tuple[str, tuple[int, ...]]], file: str
) -> None:
    found = {node.name: node for node in (*session.get_inputs(), *session.get_outputs())}
    for name, (kind, shape) in contract.items():
        if name not in found:
            raise GraphMismatch(f"{file} has no input or output {name!r}.", file=file)
        if tuple(found[name].shape[1:]) != shape or found[name].type != kind:
            raise GraphMismatch(
                f"{file}: {name} is {found[name].type} of shape {found[name].shape}, not {kind} (batch, *{shape}).",
                file=file,
            )
