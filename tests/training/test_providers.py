"""Other execution providers give the processor's answers; each needs an onnxruntime, so an environment, of its own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from app.adapters.bundle.onnx_networks import OnnxNetwork
from app.adapters.dicom import read_instance
from app.core.errors import ProviderUnavailable
from app.core.pipeline import crop_instance
from app.core.tensors import to_pictures
from app.core.values import Preprocessing, View

SCRIPT = Path(__file__).parents[1] / "providers.py"


@pytest.fixture(scope="module")
def pictures(phantom_study: dict[View, bytes]) -> np.ndarray:
    crops = [crop_instance(read_instance(data)) for data in phantom_study.values()]
    return to_pictures((crop.tissue for crop in crops), Preprocessing())


@pytest.mark.real
@pytest.mark.parametrize("provider", ["cpu", "openvino", "cuda"])
def test_the_answers_are_those_of_the_processor(
    bundle_folder: Path, pictures: np.ndarray, provider: str, tmp_path: Path
) -> None:
    variable = f"LIVER_PDFF_{provider.upper()}_PYTHON"
    python = sys.executable if provider == "cpu" else os.environ.get(variable)
    if not python:
        pytest.skip(f"{variable} names no Python with onnxruntime for {provider}")
    network = bundle_folder / "network.onnx"
    np.save(tmp_path / "pictures.npy", pictures)
    arguments: list[str | Path] = [network, provider, tmp_path / "pictures.npy", tmp_path / "outputs.npz"]
    done = subprocess.run([python, SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = OnnxNetwork(network)(pictures, list(View))
    found = np.load(tmp_path / "outputs.npz")
    np.testing.assert_allclose(found["values"], expected.values, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found["cams"], expected.cams, rtol=0, atol=1e-4 * np.abs(expected.cams).max())


def test_a_provider_that_is_not_there_is_not_replaced_in_silence(bundle_folder: Path) -> None:
    assert "CUDAExecutionProvider" not in onnxruntime.get_available_providers()
    with pytest.raises(ProviderUnavailable, match="CUDAExecutionProvider"):
        OnnxNetwork(bundle_folder / "network.onnx", "cuda")
