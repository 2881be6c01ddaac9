"""The network of a bundle computes what preprocessing, backbone, heads and maps compute one after the other."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from app.adapters.bundle.onnx_networks import OnnxBackbone, OnnxNetwork
from app.core.cam import class_activation_map
from app.core.errors import BundleUnreadable, GraphMismatch
from app.core.heads import predict
from app.core.tensors import to_tensor
from app.core.values import Preprocessing, View
from tests.fakes import some_heads
from training.network import build_network

HEADS = some_heads()
CAFFE = Preprocessing(colour_order="bgr", scale=1, mean=(103.939, 116.779, 123.68), std=(1, 1, 1))


def some_pictures(n: int = 4) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (n, 224, 224), dtype=np.uint8)


@pytest.fixture(scope="module")
def backbone(bundle_folder: Path, bundle_work: Path) -> Path:
    return bundle_work / "backbone.onnx"


@pytest.mark.parametrize("preprocessing", [Preprocessing(), CAFFE], ids=["imagenet", "caffe"])
def test_every_value_and_map_is_what_the_parts_compute(
    backbone: Path, tmp_path: Path, preprocessing: Preprocessing
) -> None:
    onnx.save(build_network(onnx.load(backbone), preprocessing, HEADS), tmp_path / "network.onnx")
    values, cams = OnnxNetwork(tmp_path / "network.onnx")(some_pictures(), list(View))
    features = OnnxBackbone(backbone, 2)(np.stack([to_tensor(each, preprocessing) for each in some_pictures()]))
    for row, view in enumerate(View):
        for column, head in enumerate(HEADS[view].values()):
            expected = class_activation_map(head, features.activation[row])
            np.testing.assert_allclose(cams[row, column], expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
            assert values[row, column] == pytest.approx(predict(head, features.gap[row]), rel=1e-9)


def test_a_picture_is_asked_by_its_own_views_heads(bundle_folder: Path) -> None:
    network, picture = OnnxNetwork(bundle_folder / "network.onnx"), some_pictures(1)
    together = network(np.concatenate([picture] * 3), [View.LIVER_KIDNEY, View.HEPATIC_VEINS, View.LIVER_KIDNEY])
    np.testing.assert_allclose(together.values[0], together.values[2], rtol=1e-5)
    assert not np.allclose(together.values[0], together.values[1])


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x08" * 100])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "network.onnx").write_bytes(content)
    with pytest.raises(BundleUnreadable, match=r"network\.onnx"):
        OnnxNetwork(tmp_path / "network.onnx")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda graph: graph.output.pop(), "no input or output 'cam'"),
        (lambda graph: setattr(graph.input[0].type.tensor_type.shape.dim[2], "dim_param", "rows"), "picture is"),
    ],
)
def test_a_graph_of_another_contract_is_refused(
    bundle_folder: Path, tmp_path: Path, change: Callable[[onnx.GraphProto], object], says: str
) -> None:
    model = onnx.load(bundle_folder / "network.onnx")
    change(model.graph)
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(GraphMismatch, match=says):
        OnnxNetwork(tmp_path / "other.onnx")
