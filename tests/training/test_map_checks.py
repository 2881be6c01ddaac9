"""Sanity checks of maps, on pictures and backbones of which the answer is known."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.tensors import resize, to_tensor
from app.core.values import Features, Floats, GreyImage, LinearHead, Preprocessing, Target
from training.explanations import Network
from training.map_checks import (
    ImageCheck,
    MapCheck,
    MapChecks,
    check_image,
    deletion_changes,
    highest_cells,
    printed_checks,
    sector,
    similarity,
    spread,
    summarise,
    tissue_cells,
    without,
)

EVERYWHERE = np.ones((7, 7), np.bool_)


class TextureBackbone:
    """Two maps: the standard deviation and the mean of every 32 x 32 pixels."""

    def __call__(self, tensors: NDArray[np.float32]) -> Features:
        cells = tensors[:, 0].reshape(len(tensors), 7, 32, 7, 32)
        activation = np.stack([cells.std(axis=(2, 4)), cells.mean(axis=(2, 4))], axis=1)
        return Features(gap=activation.mean(axis=(2, 3), dtype=np.float64), activation=activation)


class NoiseBackbone:
    """Maps that have nothing to do with the picture."""

    def __call__(self, tensors: NDArray[np.float32]) -> Features:
        activation = np.random.default_rng(5).normal(size=(len(tensors), 2, 7, 7)).astype(np.float32)
        return Features(gap=activation.mean(axis=(2, 3), dtype=np.float64), activation=activation)


NETWORK = Network(TextureBackbone(), Preprocessing())
NOISE = Network(NoiseBackbone(), Preprocessing())
TEXTURE_HEAD = LinearHead(np.array([2.0, 0.0]), -1.0)
FLAT_HEAD = LinearHead(np.zeros(2), 0.3)


def textured(strength: Floats, seed: int = 0) -> GreyImage:
    """A grey picture with speckle of a given strength in each of the 7 x 7 cells."""
    noise = np.random.default_rng(seed).uniform(-1, 1, (224, 224))
    return np.asarray(np.rint(128 + noise * np.kron(strength, np.ones((32, 32)))), np.uint8)


def one_corner() -> Floats:
    strength = np.zeros((7, 7))
    strength[:2, :2] = 60
    return strength


class TestTissue:
    def test_a_black_pixel_within_the_sector_is_tissue(self) -> None:
        seen = np.full((224, 224), 90, np.uint8)
        seen[:50], seen[100, 60] = 0, 0
        assert sector(seen)[100, 60]
        assert not sector(seen)[:50].any()

    def test_a_cell_counts_from_half_tissue(self) -> None:
        seen = np.zeros((224, 224), np.uint8)
        seen[:, :112] = 90
        np.testing.assert_array_equal(tissue_cells(seen).all(axis=0), [True] * 4 + [False] * 3)

    def test_greying_out_leaves_what_lies_further_off(self) -> None:
        seen = textured(np.full((7, 7), 60.0))
        seen[:16] = 0
        cells = np.zeros((7, 7), np.bool_)
        cells[2:5, 2:5] = True
        gone = without(seen, cells)
        middle = np.abs(gone[96:128, 96:128] - float(seen[16:].mean()))
        assert middle.max() <= 0.5 + 0.01 * np.abs(seen[96:128, 96:128] - seen[16:].mean()).max()
        assert (gone[:16] == 0).all()
        gone[32:192, 32:192] = seen[32:192, 32:192]
        np.testing.assert_array_equal(gone, seen)

    def test_greying_out_draws_no_edge(self) -> None:
        cells = np.zeros((7, 7), np.bool_)
        cells[2:5, 2:5] = True
        seen = np.full((224, 224), 200, np.uint8)
        seen[:, :112] = 100
        steps = np.abs(np.diff(without(seen, cells).astype(float), axis=0))
        assert 0 < steps.max() < 5

    def test_what_is_examined_is_what_the_service_sees(self) -> None:
        tissue = np.random.default_rng(1).integers(0, 255, (300, 411), np.uint8)
        seen = resize(tissue, 224, "bicubic")
        np.testing.assert_array_equal(to_tensor(seen, Preprocessing()), to_tensor(tissue, Preprocessing()))


class TestHighestCells:
    def test_takes_a_fifth_by_magnitude(self) -> None:
        cam = np.linspace(-1, 0.5, 49).reshape(7, 7)
        marked = highest_cells(cam, EVERYWHERE)
        assert marked.sum() == 10
        assert marked.ravel()[:10].all()

    def test_takes_tissue_only(self) -> None:
        cells = EVERYWHERE.copy()
        cells[:4] = False
        marked = highest_cells(-np.arange(49.0)[::-1].reshape(7, 7), cells)
        assert marked.sum() == 4
        assert marked[4, :4].all()


class TestDeletion:
    @staticmethod
    def ratio(picture: Callable[[int], GreyImage], redraw: Callable[[Floats, int], Floats]) -> float:
        """Highest over random, means over 40 pictures."""
        totals = np.zeros(2)
        for seed in range(40):
            seen = picture(seed)
            cam = redraw(2.0 * NETWORK.look_at([seen]).activation[0, 0].astype(np.float64), seed)
            rng = np.random.default_rng(seed)
            changes = deletion_changes(seen, {Target.GE5: cam}, {Target.GE5: TEXTURE_HEAD}, NETWORK, rng)
            totals += changes[Target.GE5]
        return float(totals[0] / totals[1])

    def test_the_highest_cam_matters_most_where_all_that_counts_is_in_one_corner(self) -> None:
        # ten of 49 cells, drawn at random, hold a fifth of the corner on average
        assert self.ratio(lambda seed: textured(one_corner(), seed), lambda cam, _: cam) == pytest.approx(4.9, rel=0.3)

    def test_a_shuffled_map_is_no_better_than_chance(self) -> None:
        def picture(seed: int) -> GreyImage:
            return textured(np.random.default_rng([seed, 1]).uniform(0, 80, (7, 7)), seed)

        def shuffled(cam: Floats, seed: int) -> Floats:
            return np.random.default_rng([seed, 2]).permuted(cam.ravel()).reshape(7, 7)

        assert self.ratio(picture, lambda cam, _: cam) > 1.4
        assert self.ratio(picture, shuffled) == pytest.approx(1, abs=0.12)

    def test_removing_all_that_counts_leaves_little_but_the_intercept(self) -> None:
        seen = textured(one_corner())
        cam = 2.0 * NETWORK.look_at([seen]).activation[0, 0].astype(np.float64)
        heads = {Target.PDFF: TEXTURE_HEAD}
        changes = deletion_changes(seen, {Target.PDFF: cam}, heads, NETWORK, np.random.default_rng(0))
        assert 0.85 < changes[Target.PDFF].highest / cam.mean() < 1  # what is left stands under the patch's soft edge


class TestSimilarity:
    def test_of_a_map_with_itself_or_its_negative_is_one(self) -> None:
        cam = np.random.default_rng(0).normal(size=(7, 7))
        assert similarity(cam, cam, EVERYWHERE) == pytest.approx(1)
        assert similarity(cam, -cam, EVERYWHERE) == pytest.approx(1)

    def test_of_a_flat_map_is_zero(self) -> None:
        assert similarity(np.arange(49.0).reshape(7, 7), np.ones((7, 7)), EVERYWHERE) == 0

    def test_leaves_out_what_is_no_tissue(self) -> None:
        one, two = np.random.default_rng(0).normal(size=(2, 7, 7))
        cells = EVERYWHERE.copy()
        cells[:3] = False
        two[3:] = one[3:]
        assert similarity(one, two, cells) == pytest.approx(1)


class TestImage:
    SEEN = textured(np.random.default_rng(3).uniform(10, 80, (7, 7)))

    def check(self, randomised: Network, head: LinearHead = TEXTURE_HEAD) -> list[ImageCheck]:
        heads = {Target.GE5: head, Target.GE10: FLAT_HEAD}
        return check_image(self.SEEN, heads, (NETWORK, randomised), np.random.default_rng(0))

    def test_a_randomised_backbone_gives_another_map(self) -> None:
        assert self.check(NETWORK)[0].random_backbone == pytest.approx(1)
        assert self.check(NOISE)[0].random_backbone < 0.3

    def test_a_randomised_head_gives_another_map_if_features_differ(self) -> None:
        same_features = LinearHead(np.array([1.0, 1.0]), 0.0)  # dealing these changes nothing
        assert self.check(NOISE, same_features)[0].random_head == pytest.approx(1)
        assert self.check(NOISE)[0].random_head < 0.9

    def test_a_head_without_features_has_no_map_to_check(self) -> None:
        assert [each.target for each in self.check(NOISE)] == [Target.GE5]

    def test_all_of_a_map_is_on_tissue_where_all_is_tissue(self) -> None:
        found = self.check(NOISE)[0]
        assert found.on_tissue == pytest.approx(1)
        assert found.tissue == 1


class TestSpread:
    def test_takes_eight_of_a_whole_cohort_from_low_to_high(self) -> None:
        pdff = np.random.default_rng(0).permutation(np.arange(135.0))
        np.testing.assert_array_equal(pdff[spread(pdff)], [8, 25, 42, 59, 75, 92, 109, 126])

    @pytest.mark.parametrize("n", [12, 24, 40, 64, 135])
    def test_takes_an_eighth_at_most_of_the_lowest(self, n: int) -> None:
        chosen = spread(np.arange(float(n)))
        for lowest in range(n):
            assert (chosen < lowest).sum() <= round(lowest / 8 + 0.01)


class TestSummary:
    CHECKS = (
        ImageCheck(Target.PDFF, 0.5, 0.6, 0.2, 0.1, 3.0, 1.0),
        ImageCheck(Target.PDFF, 0.7, 0.6, 0.4, 0.3, 1.0, 1.5),
        ImageCheck(Target.GE5, 0.9, 0.6, 0.9, 0.9, 9.0, 0.0),
    )

    def test_averages_one_target(self) -> None:
        found = summarise(Target.PDFF, self.CHECKS)
        expected = MapCheck(
            target=Target.PDFF, maps=2, on_tissue=0.6, tissue=0.6, random_backbone=0.3, random_head=0.2, highest=2.0,
            random=1.25, wins=0.5,
        )  # fmt: skip
        assert found.model_dump() == pytest.approx(expected.model_dump())

    def test_is_printed_in_the_heads_unit(self) -> None:
        targets = tuple(summarise(target, self.CHECKS) for target in (Target.PDFF, Target.GE5))
        rows = printed_checks(MapChecks(examined=8, fitted_on=127, targets=targets))
        assert rows["Heads"] == "fitted on 127 participants, examined on the images of 8 others"
        assert rows["PDFF: deletion"] == (
            "highest |CAM| 2.00, random 1.25 percentage points: 1.6 times as much; more in 50 % of the images"
        )
        assert rows["PDFF ≥ 5 %: deletion"] == (
            "highest |CAM| 9.00, random 0.00 log-odds: random tissue changes nothing; more in 100 % of the images"
        )
        assert rows["PDFF: on tissue"] == "60 % of the |CAM|, on 60 % of the cells"
