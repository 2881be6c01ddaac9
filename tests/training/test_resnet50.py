"""The ONNX graph equals other implementations of the same weights."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from app.adapters.bundle.onnx_networks import OnnxBackbone
from app.core.errors import BundleUnreadable, GraphMismatch
from training.resnet50 import build_resnet50, parameter_shapes
from training.weights import published_weights, seeded_weights, weights_from_file

RELATIVE = 1e-4
Array = NDArray[np.float64]


@cache
def some_state() -> dict[str, NDArray[np.float32]]:
    """Random weights whose batch norms are anything but the identity."""
    rng = np.random.default_rng(5)
    images = rng.normal(size=(2, 3, 224, 224)).astype(np.float32)
    state = dict(seeded_weights(3, images).state)
    for name in state:
        if name.endswith(("bn1.weight", "bn2.weight", "downsample.1.weight")):
            state[name] = rng.uniform(0.5, 1.5, state[name].shape).astype(np.float32)
        if name.endswith("bias"):
            state[name] = rng.normal(0, 0.2, state[name].shape).astype(np.float32)
    state["fc.weight"] = rng.normal(0, 0.02, (1000, 2048)).astype(np.float32)
    state["fc.bias"] = rng.normal(0, 1, 1000).astype(np.float32)
    return {name: np.asarray(value, np.float32) for name, value in state.items()}


def some_images(n: int = 2) -> NDArray[np.float32]:
    return np.random.default_rng(9).normal(size=(n, 3, 224, 224)).astype(np.float32)


def run(model: onnx.ModelProto, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": images}), strict=True))


def assert_relative(found: NDArray[np.floating], expected: NDArray[np.floating], relative: float = RELATIVE) -> None:
    """Largest error over largest magnitude."""
    assert np.abs(found - expected).max() <= relative * np.abs(expected).max()


class NumpyResNet50:
    """ResNet-50 v1.5 in plain float64 numpy, batch norm unfolded, from the paper's table and nothing of ours."""

    def __init__(self, state: Mapping[str, NDArray[np.floating]]) -> None:
        self.state = {name: value.astype(np.float64) for name, value in state.items()}

    def conv(self, x: Array, name: str, stride: int = 1) -> Array:
        weight = self.state[f"{name}.weight"]
        size = weight.shape[2]
        padded = np.pad(x, [(0, 0), (0, 0), (size // 2, size // 2), (size // 2, size // 2)])
        windows = sliding_window_view(padded, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
        return np.tensordot(windows, weight, axes=((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)

    def norm(self, x: Array, name: str) -> Array:
        weight, bias, mean, var = (
            self.state[f"{name}.{part}"][:, None, None] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return np.asarray((x - mean) / np.sqrt(var + 1e-5) * weight + bias)

    def block(self, x: Array, name: str, stride: int) -> Array:
        out = np.maximum(self.norm(self.conv(x, f"{name}.conv1"), f"{name}.bn1"), 0)
        out = np.maximum(self.norm(self.conv(out, f"{name}.conv2", stride), f"{name}.bn2"), 0)
        out = self.norm(self.conv(out, f"{name}.conv3"), f"{name}.bn3")
        if f"{name}.downsample.0.weight" in self.state:
            x = self.norm(self.conv(x, f"{name}.downsample.0", stride), f"{name}.downsample.1")
        return np.maximum(out + x, 0)

    def __call__(self, x: Array) -> Array:
        x = np.maximum(self.norm(self.conv(x, "conv1", 2), "bn1"), 0)
        padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=-np.inf)
        x = sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2].max(axis=(4, 5))
        for layer, blocks in ((1, 3), (2, 4), (3, 6), (4, 3)):
            for index in range(blocks):
                x = self.block(x, f"layer{layer}.{index}", 2 if index == 0 and layer > 1 else 1)
        return x


class TestParity:
    def test_with_plain_numpy_in_float64(self) -> None:
        images = some_images(1)
        found = run(build_resnet50(some_state(), keep_classifier=True), images)
        expected = NumpyResNet50(some_state())(images.astype(np.float64))
        assert_relative(found["activation"], expected)
        assert_relative(found["gap"], expected.mean(axis=(2, 3)))
        logits = expected.mean(axis=(2, 3)) @ some_state()["fc.weight"].T + some_state()["fc.bias"]
        assert_relative(found["logits"], logits)

    def test_with_transformers(self) -> None:
        torch = pytest.importorskip("torch", reason="torch is not installed")
        transformers = pytest.importorskip("transformers", reason="transformers is not installed")
        reference = transformers.ResNetModel(transformers.ResNetConfig()).eval()
        renamed = {
            transformers_name(name): torch.from_numpy(value)
            for name, value in some_state().items()
            if not name.startswith("fc.")
        }
        missing, unexpected = reference.load_state_dict(renamed, strict=False)
        assert not unexpected
        assert all(name.endswith("num_batches_tracked") for name in missing)
        images = some_images()
        with torch.no_grad():
            expected = reference(torch.from_numpy(images)).last_hidden_state.numpy()
        assert_relative(run(build_resnet50(some_state()), images)["activation"], expected)

    def test_a_batch_is_its_images_one_by_one(self) -> None:
        model, images = build_resnet50(some_state()), some_images()
        together = run(model, images)["gap"]
        assert_relative(together, np.concatenate([run(model, image[None])["gap"] for image in images]), 1e-5)


def transformers_name(name: str) -> str:
    """Turn torchvision's name of a parameter into that of transformers' ResNetModel."""
    layer, _, parameter = name.rpartition(".")
    kind = "convolution" if "conv" in layer.split(".")[-1] or layer.endswith("downsample.0") else "normalization"
    if layer in ("conv1", "bn1"):
        return f"embedder.embedder.{kind}.{parameter}"
    stage, block, *rest = layer.split(".")
    prefix = f"encoder.stages.{int(stage[-1]) - 1}.layers.{block}"
    if rest[0] == "downsample":
        return f"{prefix}.shortcut.{kind}.{parameter}"
    return f"{prefix}.layer.{int(rest[0][-1]) - 1}.{kind}.{parameter}"


class TestWeights:
    def test_the_parameters_are_those_of_a_resnet50(self) -> None:
        """25.56 million with the classifier and without the running statistics: the published count."""
        shapes = parameter_shapes(with_classifier=True)
        count = sum(int(np.prod(shape)) for name, shape in shapes.items() if "running" not in name)
        assert count == 25_557_032

    def test_a_missing_parameter_is_named(self) -> None:
        state = {name: value for name, value in some_state().items() if name != "layer3.2.bn1.bias"}
        with pytest.raises(ValueError, match=r"lack layer3\.2\.bn1\.bias"):
            build_resnet50(state)

    @pytest.mark.parametrize(
        ("value", "says"), [(np.ones((64, 3, 3, 3)), "shape"), (np.full((64, 3, 7, 7), np.nan), "finite")]
    )
    def test_a_wrong_parameter_is_named(self, value: Array, says: str) -> None:
        with pytest.raises(ValueError, match=f"conv1.weight.*{says}"):
            build_resnet50({**some_state(), "conv1.weight": value})

    def test_a_seed_gives_the_same_weights(self) -> None:
        images = some_images()
        assert seeded_weights(1, images).sha256 == seeded_weights(1, images).sha256
        assert seeded_weights(1, images).sha256 != seeded_weights(2, images).sha256

    def test_seeded_batch_norms_whiten_the_images_they_were_calibrated_on(self) -> None:
        images = some_images(4)
        state = {**seeded_weights(1, images).state}
        stem = NumpyResNet50(state)
        normed = stem.norm(stem.conv(images.astype(np.float64), "conv1", 2), "bn1")
        np.testing.assert_allclose(normed.mean(axis=(0, 2, 3)), 0, atol=1e-4)
        np.testing.assert_allclose(normed.std(axis=(0, 2, 3)), 1, atol=1e-3)

    def test_safetensors_and_pth_give_the_same_graph(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch", reason="torch is not installed")
        from safetensors.numpy import save_file

        save_file(some_state(), tmp_path / "weights.safetensors")
        torch.save({name: torch.from_numpy(value) for name, value in some_state().items()}, tmp_path / "weights.pth")
        graphs = [
            build_resnet50(weights_from_file(tmp_path / f"weights.{suffix}").state) for suffix in ("safetensors", "pth")
        ]
        assert graphs[0] == graphs[1]

    def test_another_kind_of_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"\.safetensors or \.pth"):
            weights_from_file(tmp_path / "weights.h5")

    def test_a_download_with_another_hash_is_refused_and_removed(self, tmp_path: Path) -> None:
        source = tmp_path / "resnet50-0676ba61.pth"
        source.write_bytes(b"not the published weights")
        with pytest.raises(ValueError, match="SHA-256"):
            published_weights(tmp_path / "cache", source.as_uri())
        assert list((tmp_path / "cache").iterdir()) == []

    def test_an_ordinary_photo_is_recognised(self, shared_data: Path) -> None:
        """The Summer Palace over its lake, scikit-learn's sample: ImageNet's 698 is palace, 449 boathouse."""
        from sklearn.datasets import load_sample_image

        weights = weights_from_file(shared_data / "weights" / "resnet50_imagenet_pqf.safetensors")
        logits = run(
            build_resnet50(weights.state, keep_classifier=True), imagenet_input(load_sample_image("china.jpg"))
        )
        assert set(np.argsort(logits["logits"][0])[-2:]) == {449, 698}


def imagenet_input(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Resize the shorter side to 256, crop the centre, normalise: the published evaluation's preprocessing."""
    image = Image.fromarray(photo)
    scale = 256 / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32) / 255
    normalised = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None], np.float32)


class TestOnnxBackbone:
    @pytest.fixture(scope="class")
    @classmethod
    def path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = tmp_path_factory.mktemp("onnx") / "backbone.onnx"
        path.write_bytes(build_resnet50(some_state()).SerializeToString())
        return path

    def test_gap_is_the_mean_of_the_activation(self, path: Path) -> None:
        features = OnnxBackbone(path, 1)(some_images())
        assert features.gap.shape == (2, 2048)
        assert features.activation.shape == (2, 2048, 7, 7)
        np.testing.assert_allclose(features.gap, features.activation.mean(axis=(2, 3)), atol=1e-5)

    @pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x08" * 100])
    def test_a_file_that_is_no_graph_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "backbone.onnx").write_bytes(content)
        with pytest.raises(BundleUnreadable, match=r"backbone\.onnx"):
            OnnxBackbone(tmp_path / "backbone.onnx", 1)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda graph: graph.output.pop(), "no input or output 'gap'"),
            (lambda graph: setattr(graph.input[0].type.tensor_type.shape.dim[2], "dim_param", "rows"), "image is"),
        ],
    )
    def test_a_graph_of_another_contract_is_refused(
        self, path: Path, tmp_path: Path, change: Callable[[onnx.GraphProto], object], says: str
    ) -> None:
        model = onnx.load(path)
        change(model.graph)
        onnx.save(model, tmp_path / "other.onnx")
        with pytest.raises(GraphMismatch, match=says):
            OnnxBackbone(tmp_path / "other.onnx", 1)
