"""A low-precision backbone keeps the contract, and is shipped only beside a full-precision bundle hardly better."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest

from app.adapters.bundle.manifest import Evaluation, Manifest
from app.adapters.bundle.onnx_networks import OnnxBackbone, OnnxNetwork
from app.adapters.bundle.store import read_manifest
from app.core.tensors import to_tensor
from app.core.values import Preprocessing, View
from tests.fakes import some_heads
from training.bundle import MAX_LOSS, measure_against
from training.cohort import read_cohort
from training.features import participant_tensors
from training.network import build_network
from training.quantize import precision_of, quantise

FIGURES = ("spearman", "auc_ge5", "auc_ge10")


@dataclass(frozen=True)
class Pair:
    fp32: Path
    int8: Path
    tensors: np.ndarray


@pytest.fixture(scope="module")
def pair(bundle_folder: Path, bundle_work: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    people = read_cohort(bundle_work / "training" / "cohort.csv")
    fp32, int8 = bundle_work / "backbone.onnx", tmp_path_factory.mktemp("int8") / "backbone.onnx"
    onnx.save(quantise(onnx.load(fp32), participant_tensors(people[:6], Preprocessing())), int8)
    return Pair(fp32, int8, np.concatenate(list(participant_tensors(people[10:14], Preprocessing()))))


class TestQuantise:
    def test_features_of_other_participants_are_nearly_the_same(self, pair: Pair) -> None:
        full, low = (OnnxBackbone(path, 2)(pair.tensors).gap for path in (pair.fp32, pair.int8))
        assert np.corrcoef(full.ravel(), low.ravel())[0, 1] > 0.99
        assert not np.array_equal(full, low)

    def test_it_is_a_quarter_as_large_and_says_what_it_is(self, pair: Pair) -> None:
        assert pair.int8.stat().st_size < 0.3 * pair.fp32.stat().st_size
        assert [precision_of(onnx.load(path)) for path in (pair.fp32, pair.int8)] == ["fp32", "int8"]

    def test_no_weight_needs_more_than_seven_bits(self, pair: Pair) -> None:
        weights = [
            onnx.numpy_helper.to_array(each)
            for each in onnx.load(pair.int8).graph.initializer
            if each.name.endswith("weight_quantized")
        ]
        assert len(weights) == 53
        assert max(int(np.abs(each.astype(int)).max()) for each in weights) <= 64

    def test_a_network_on_it_answers_by_its_own_features(self, pair: Pair, tmp_path: Path) -> None:
        heads, pictures = some_heads(), np.random.default_rng(3).integers(0, 256, (4, 224, 224), dtype=np.uint8)
        onnx.save(build_network(onnx.load(pair.int8), Preprocessing(), heads), tmp_path / "network.onnx")
        values, _ = OnnxNetwork(tmp_path / "network.onnx")(pictures, list(View))
        gap = OnnxBackbone(pair.int8, 1)(np.stack([to_tensor(each, Preprocessing()) for each in pictures])).gap
        rows = zip(View, gap, strict=True)
        expected = [[head.weights @ row + head.intercept for head in heads[view].values()] for view, row in rows]
        np.testing.assert_allclose(values, expected, rtol=1e-6)


class TestGate:
    @pytest.fixture
    def manifest(self, bundle_folder: Path) -> Manifest:
        return read_manifest(bundle_folder)[0]

    def test_a_small_loss_is_let_pass_and_kept_beside_the_reference(
        self, bundle_folder: Path, manifest: Manifest
    ) -> None:
        for figure in FIGURES:
            slightly_worse = with_loss(manifest.evaluation, figure, 0.9 * MAX_LOSS)
            kept = measure_against(bundle_folder, "int8", manifest.cohort, slightly_worse)
            assert kept is not None
            assert kept.averaged == manifest.evaluation.models["averaged"]

    @pytest.mark.parametrize("figure", FIGURES)
    def test_a_large_one_is_refused_by_name(self, bundle_folder: Path, manifest: Manifest, figure: str) -> None:
        worse = with_loss(manifest.evaluation, figure, 1.1 * MAX_LOSS)
        with pytest.raises(ValueError, match=f"int8 loses too much: {figure}"):
            measure_against(bundle_folder, "int8", manifest.cohort, worse)

    def test_without_a_reference_nothing_is_written(self, manifest: Manifest) -> None:
        with pytest.raises(ValueError, match="needs the fp32 bundle"):
            measure_against(None, "int8", manifest.cohort, manifest.evaluation)

    def test_other_participants_are_no_reference(self, bundle_folder: Path, manifest: Manifest) -> None:
        others = manifest.cohort.model_copy(update={"participants": 7})
        with pytest.raises(ValueError, match="no fp32 bundle of the same cohorts"):
            measure_against(bundle_folder, "int8", others, manifest.evaluation)

    def test_full_precision_needs_none(self, manifest: Manifest) -> None:
        assert measure_against(None, "fp32", manifest.cohort, manifest.evaluation) is None


def with_loss(evaluation: Evaluation, figure: str, loss: float) -> Evaluation:
    averaged = evaluation.models["averaged"]
    worse = averaged.model_copy(update={figure: getattr(averaged, figure) - loss})
    return evaluation.model_copy(update={"models": evaluation.models | {"averaged": worse}})
