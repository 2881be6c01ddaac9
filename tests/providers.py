"""Run a bundle's network by one execution provider, and write what it says: needs numpy and an onnxruntime, no more.

``python tests/providers.py network.onnx openvino pictures.npy outputs.npz``
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from app.adapters.bundle.onnx_networks import OnnxNetwork
from app.core.values import View

if __name__ == "__main__":
    network, provider, pictures, outputs = sys.argv[1:]
    values, cams = OnnxNetwork(Path(network), provider)(np.load(pictures), list(View))  # type: ignore[arg-type] # by name
    np.savez(outputs, values=values, cams=cams)
