"""Pretraining: its images are the service's, its network is the ONNX graph, a killed run ends like a whole one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from app.core.values import View
from training.__main__ import cli
from training.bundle import GOLDEN_SEED
from training.demo import DemoPlan
from training.phantom import simulate_view
from training.phantom.sheet import SHEET_SEED
from training.pretrain_images import LabelledImages, PretrainPlan, pretraining_pdff_percent, tissue_image, write_images

TINY = PretrainPlan(
    seed=901,
    n_participants=3,
    n_validation=2,
    side_pixels=48,
    small_side_pixels=32,
    n_epochs=3,
    batch_size=2,
    shift_pixels=2,
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pretrain")


@pytest.fixture(scope="module")
def images(work: Path) -> LabelledImages:
    return write_images(TINY, work, jobs=1)


class TestPlan:
    def test_seed_is_nobody_elses(self) -> None:
        demo = DemoPlan()
        others = {demo.training_seed, demo.held_out_seed, demo.study_seed, GOLDEN_SEED, SHEET_SEED, 77}
        assert PretrainPlan().seed not in others

    def test_digest_follows_every_field(self) -> None:
        assert replace(TINY, peak_rate=0.5).digest != TINY.digest == replace(TINY).digest

    def test_fractions_cover_the_whole_range(self) -> None:
        pdff = pretraining_pdff_percent(200, 0)
        assert 1 <= pdff.min() < 2
        assert 39 < pdff.max() <= 40
        assert 0.2 < np.mean(pdff < 5) < 0.3


class TestWriteImages:
    def test_gives_four_views_of_every_participant(self, images: LabelledImages) -> None:
        assert images.grey.shape == (12, 48, 48)
        assert images.grey.dtype == np.uint8
        assert images.view.tolist() == [0, 1, 2, 3] * 3
        assert images.pdff_percent[0] == images.pdff_percent[3] != images.pdff_percent[4]

    def test_pixels_are_the_crop_of_that_phantom(self, images: LabelledImages) -> None:
        pdff_percent = float(pretraining_pdff_percent(3, TINY.seed)[1])
        screen = simulate_view(1, TINY.seed, pdff_percent, View.LIVER_KIDNEY)
        np.testing.assert_array_equal(images.grey[7], tissue_image(screen, 48))

    def test_a_second_call_simulates_nothing(
        self, images: LabelledImages, work: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("training.pretrain_images.simulate_view", None)
        np.testing.assert_array_equal(write_images(TINY, work, jobs=1).grey, images.grey)


class TestTraining:
    @pytest.fixture(autouse=True)
    def _torch(self) -> None:
        pytest.importorskip("torch", reason="torch is not installed: pip install 'liver-pdff[pretraining]'")

    def test_network_is_the_onnx_graph(self) -> None:
        import onnxruntime
        import torch

        from training.pretrain import backbone_state, features, initial_network
        from training.resnet50 import build_resnet50

        network = initial_network(3)
        with torch.no_grad():
            for name, value in network.items():
                if name.endswith("bn3.weight"):
                    value.fill_(0.3)
        batch = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32)
        with torch.no_grad():
            wanted = features(network, torch.from_numpy(batch), training=False).numpy()
        graph = build_resnet50(backbone_state(network)).SerializeToString()
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        found = session.run(["gap"], {"image": batch})[0]
        assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()

    def test_augmentation_keeps_black_and_the_range(self) -> None:
        import torch

        from training.pretrain import augmented

        generator = torch.Generator().manual_seed(0)
        assert augmented(torch.zeros(3, 1, 32, 32), 4, generator).max() == 0
        bright = augmented(torch.ones(3, 1, 32, 32), 4, generator)
        assert bright.shape == (3, 1, 32, 32)
        assert bright.max() <= 1

    def test_mixing_takes_labels_with_the_tissue(self) -> None:
        import torch

        from training.pretrain import mixed, targets_of

        targets = targets_of(torch.tensor([2.0, 30.0]), torch.tensor([0, 3]))
        generator = torch.Generator().manual_seed(1)
        grey = torch.tensor([0.25, 0.75]).view(2, 1, 1, 1).expand(2, 1, 32, 32)
        for _ in range(20):
            image, label = mixed(grey, targets, generator)
            foreign = (image[0] != 0.25).float().mean()
            assert label[0, 0] == pytest.approx(0.2 + float(foreign) * 2.8, abs=1e-5)
            assert label[0, 1] == pytest.approx(float(foreign), abs=1e-6)
            assert label[:, 3:].sum(dim=1).tolist() == pytest.approx([1, 1])

    def test_mixing_black_with_black_keeps_the_labels(self) -> None:
        import torch

        from training.pretrain import mixed, targets_of

        targets = targets_of(torch.tensor([2.0, 30.0]), torch.tensor([0, 3]))
        _, label = mixed(torch.zeros(2, 1, 32, 32), targets, torch.Generator().manual_seed(0))
        assert torch.equal(label, targets)

    def test_a_resumed_run_goes_on_like_a_whole_one(self, images: LabelledImages, tmp_path: Path) -> None:
        from training.pretrain import backbone_state, start_run, train_epoch

        whole, resumed = (start_run(TINY, n_images=4) for _ in range(2))
        train_epoch(whole, images.part(0, 4), 0)
        whole.save(tmp_path / "checkpoint.pt")
        resumed.load(tmp_path / "checkpoint.pt")
        assert resumed.epochs_done == 1
        for run in (whole, resumed):
            train_epoch(run, images.part(0, 4), 1)
        one, two = backbone_state(whole.network), backbone_state(resumed.network)
        assert all(np.array_equal(one[name], two[name]) for name in one)


def test_command_says_what_is_missing_without_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "training.pretrain", None)
    answer = CliRunner().invoke(cli, ["pretrain", str(tmp_path / "out.safetensors")], env={"COLUMNS": "200"})
    assert answer.exit_code != 0
    assert "training.pretrain" in answer.output
    assert not list(tmp_path.iterdir())
