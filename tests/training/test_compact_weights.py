"""The committed form of the backbone: rounding is bounded, writing deterministic, and the shipped file is whole."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.compact_weights import LEVELS, channel_steps, compress, expand, load_compact, save_compact
from training.resnet50 import check_state_dict, conv_layers, folded, parameter_shapes
from training.weights import PRETRAINED_FILE, pretrained_weights

State = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def state() -> State:
    rng = np.random.default_rng(0)
    drawn = {
        name: rng.standard_normal(shape, np.float32) + np.float32(2 * name.endswith("running_var"))
        for name, shape in parameter_shapes().items()
    }
    drawn |= {name: np.abs(value) + np.float32(0.1) for name, value in drawn.items() if name.endswith("running_var")}
    drawn["bn1.weight"][:3] = 0  # dead channels
    return drawn


@pytest.fixture(scope="module")
def compact(state: State) -> dict[str, NDArray[np.generic]]:
    return compress(state)


class TestCompress:
    def test_holds_eight_bit_weights(self, compact: dict[str, NDArray[np.generic]]) -> None:
        weights = [value for name, value in compact.items() if name.endswith(".weight")]
        assert len(weights) == len(list(conv_layers()))
        assert all(value.dtype == np.int8 for value in weights)

    def test_every_live_channel_uses_the_whole_range(self, compact: dict[str, NDArray[np.generic]]) -> None:
        largest = np.abs(np.asarray(compact["conv1.weight"], np.int16)).max(axis=(1, 2, 3))
        assert largest.tolist() == [0, 0, 0] + [LEVELS] * 61

    def test_refuses_what_is_not_a_resnet50(self, state: State) -> None:
        with pytest.raises(ValueError, match=r"lack conv1\.weight"):
            compress({name: value for name, value in state.items() if name != "conv1.weight"})


class TestExpand:
    def test_is_within_half_a_step_of_the_folded_weights(
        self, state: State, compact: dict[str, NDArray[np.generic]]
    ) -> None:
        expanded = expand(compact)
        for layer in conv_layers():
            wanted, wanted_bias = folded(state, layer)
            found, found_bias = folded(expanded, layer)
            bound = channel_steps(wanted)[:, None, None, None] * (0.5 + 1e-4)
            assert np.all(np.abs(found - wanted) <= bound), layer.conv
            np.testing.assert_allclose(found_bias, wanted_bias, rtol=1e-6, atol=1e-6)

    def test_names_and_shapes_are_torchvisions(self, compact: dict[str, NDArray[np.generic]]) -> None:
        check_state_dict(expand(compact))

    def test_compressing_again_changes_no_integer(self, compact: dict[str, NDArray[np.generic]]) -> None:
        again = compress(expand(compact))
        assert all(np.array_equal(again[name], compact[name]) for name in compact if name.endswith(".weight"))


class TestSave:
    def test_same_weights_same_bytes(self, tmp_path: Path) -> None:
        one, two = (save_compact(tmp_path / name, {"conv1.step": np.ones(3)}, "test") for name in ("a.npz", "b.npz"))
        assert one.read_bytes() == two.read_bytes()

    def test_keeps_values_and_provenance(self, compact: dict[str, NDArray[np.generic]], tmp_path: Path) -> None:
        state, provenance = load_compact(save_compact(tmp_path / "weights.npz", compact, "where from"))
        assert provenance == "where from"
        wanted = expand(compact)
        assert all(np.array_equal(state[name], wanted[name]) for name in wanted)


class TestPretrainedFile:
    def test_is_a_resnet50_that_says_where_it_comes_from(self) -> None:
        weights = pretrained_weights()
        check_state_dict(weights.state)
        assert weights.source == "pretrained"
        assert "simulated" in weights.description
        assert "python -m training pretrain" in weights.description

    def test_stays_below_25_megabytes(self) -> None:
        assert PRETRAINED_FILE.stat().st_size <= 25_000_000
