"""The real bundle: it proves itself, its maps add up, and the service answers what training computed."""

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from app.adapters.bundle.store import Bundle, load_bundle, manifest_sha256_line
from app.adapters.dicom import read_instance
from app.adapters.storage.database import Database
from app.adapters.telemetry.metrics import Metrics
from app.core.access import SERVICE
from app.core.errors import BundleUnreadable, ChecksumMismatch, GoldenMismatch
from app.core.heads import predict
from app.core.naming import DEFAULT_VIEW_RULES
from app.core.pipeline import crop_instance, estimate_study
from app.core.values import Estimate, LinearHead, Preprocessing, Target, View
from app.main import build_runtime
from app.service import Part
from app.settings import Settings
from training.bundle import Identity, check_cohorts, check_replaceable
from training.cohort import read_cohort
from training.features import CohortFeatures, extract_features
from training.solvers import Design


@pytest.fixture(scope="module")
def estimate(bundle: Bundle, phantom_study: dict[View, bytes]) -> Estimate:
    crops = {view: crop_instance(read_instance(data)) for view, data in phantom_study.items()}
    return estimate_study(crops, bundle.model)


class TestMaps:
    @pytest.mark.parametrize("view", list(View))
    @pytest.mark.parametrize("target", list(Target))
    def test_mean_plus_intercept_is_the_heads_output(
        self, bundle_folder: Path, estimate: Estimate, view: View, target: Target
    ) -> None:
        found = next(each for each in estimate.views if each.view == view)
        output = found.cams[target].mean() + written_heads(bundle_folder)[view][target].intercept
        expected = {
            Target.PDFF: found.pdff_percent,
            Target.GE5: np.log(found.probability_ge5 / (1 - found.probability_ge5)),
            Target.GE10: np.log(found.probability_ge10 / (1 - found.probability_ge10)),
        }
        assert output == pytest.approx(expected[target], rel=1e-9)


class TestSkew:
    def test_the_service_answers_what_training_computed_on_the_same_bytes(
        self, bundle_folder: Path, bundle_work: Path, tmp_path: Path
    ) -> None:
        participants = read_cohort(bundle_work / "held-out" / "cohort.csv")[:3]
        onnx_file = bundle_work / "backbone.onnx"
        features = extract_features(participants, onnx_file, Preprocessing(), threads=2, label="features")
        heads = written_heads(bundle_folder)
        settings = Settings(bundle=bundle_folder, database_url=f"sqlite:///{tmp_path}/test.db", threads=2)
        with (
            Database(settings.database_url) as database,
            closing(build_runtime(settings, database, Metrics(), DEFAULT_VIEW_RULES)) as runtime,
        ):
            service = runtime.require_service()
            for i, participant in enumerate(participants):
                parts = [Part(view, path.read_bytes(), view) for view, (path,) in participant.paths.items()]
                answer, _ = service.analyse(parts, SERVICE)
                for view in answer.estimate.views:
                    gap = features.views[view.view].plain[i]
                    trained = predict(heads[view.view][Target.PDFF], gap)
                    assert view.pdff_percent == pytest.approx(trained, rel=1e-9)


class TestHeldOutFigures:
    def test_the_card_shows_what_the_manifest_says(self, bundle: Bundle) -> None:
        averaged = bundle.manifest.evaluation.models["averaged"]
        assert f"| averaged | {averaged.spearman:.2f} |" in bundle.model_card
        assert "Synthetic: not for clinical use" in bundle.model_card
        assert "underestimates PDFF above 30 %" in bundle.model_card

    def test_cohorts_are_disjoint(self, bundle_work: Path) -> None:
        def pixels(cohort: str) -> set[str]:
            paths = (bundle_work / cohort).rglob("*.dcm")
            return {hashlib.sha256(read_instance(path.read_bytes()).pixels.tobytes()).hexdigest() for path in paths}

        assert not pixels("training") & pixels("held-out")


class TestVerification:
    def test_a_bundle_loads_twice_alike(self, bundle: Bundle, bundle_folder: Path) -> None:
        assert load_bundle(bundle_folder, 1).identity == bundle.identity

    def test_sha256sum_can_check_the_manifest(self, bundle: Bundle, bundle_folder: Path) -> None:
        line = (bundle_folder / "manifest.sha256").read_text()
        assert line == f"{bundle.sha256}  manifest.json\n"

    def test_a_missing_file_is_named(self, bundle_copy: Path) -> None:
        (bundle_copy / "heads.json").unlink()
        with pytest.raises(BundleUnreadable, match=r"heads\.json"):
            load_bundle(bundle_copy, 1)

    def test_a_manifest_that_lists_too_little_is_refused(self, bundle_copy: Path) -> None:
        reseal(bundle_copy, lambda manifest: manifest["files"].pop("heads.json"))
        with pytest.raises(BundleUnreadable, match=r"does not list heads\.json"):
            load_bundle(bundle_copy, 1)

    def test_an_unknown_field_of_the_manifest_is_named(self, bundle_copy: Path) -> None:
        reseal(bundle_copy, lambda manifest: manifest.update(surprise=1))
        with pytest.raises(BundleUnreadable, match="surprise"):
            load_bundle(bundle_copy, 1)

    def test_other_heads_do_not_give_the_golden_answer(self, bundle_copy: Path) -> None:
        network = onnx.load(bundle_copy / "network.onnx")
        intercepts = next(each for each in network.graph.initializer if each.name == "intercepts")
        shifted = onnx.numpy_helper.to_array(intercepts) + np.array([[0], [0], [0], [0.01]])
        intercepts.CopyFrom(onnx.numpy_helper.from_array(shifted, "intercepts"))
        onnx.save(network, bundle_copy / "network.onnx")
        with pytest.raises(ChecksumMismatch, match=r"network\.onnx"):
            load_bundle(bundle_copy, 1)
        reseal(bundle_copy, lambda manifest: hash_again(bundle_copy, manifest))
        with pytest.raises(GoldenMismatch, match=r"liver_kidney\.pdff_percent"):
            load_bundle(bundle_copy, 1)

    def test_another_resampling_does_not_give_the_golden_answer(self, bundle_copy: Path) -> None:
        reseal(bundle_copy, lambda manifest: manifest["preprocessing"].update(resampling="bilinear"))
        with pytest.raises(GoldenMismatch, match="another version"):
            load_bundle(bundle_copy, 1)


def written_heads(folder: Path) -> dict[View, dict[Target, LinearHead]]:
    """Read what the bundle says of its own heads, beside the network that computes them."""
    document = json.loads((folder / "heads.json").read_text())
    return {view: {target: head_of(document[view][target]) for target in Target} for view in View}


def head_of(document: dict[str, Any]) -> LinearHead:
    weights = np.zeros(2048)
    weights[document["indices"]] = document["weights"]
    return LinearHead(weights, document["intercept"])


def reseal(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest and make its own hash right again, as a forger would."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    (folder / "manifest.sha256").write_text(manifest_sha256_line(hashlib.sha256(path.read_bytes()).hexdigest()))


def hash_again(folder: Path, manifest: dict[str, Any]) -> None:
    """Put every file's present hash into the manifest."""
    for name, info in manifest["files"].items():
        info["sha256"] = hashlib.sha256((folder / name).read_bytes()).hexdigest()


class TestWriting:
    """What must not be overwritten, mixed up or called held out."""

    def test_somebody_elses_folder_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "NOTES.txt").write_text("mine")
        with pytest.raises(ValueError, match="move it away first"):
            check_replaceable(tmp_path, Identity("demo", "1.0.0", synthetic=True, intended_use=""))
        assert (tmp_path / "NOTES.txt").read_text() == "mine"

    def test_a_bundle_of_patients_is_not_replaced_by_a_synthetic_one(self, bundle_copy: Path) -> None:
        check_replaceable(bundle_copy, Identity("demo", "1.0.0", synthetic=True, intended_use=""))
        with pytest.raises(ValueError, match="move it away first"):
            check_replaceable(bundle_copy, Identity("demo", "1.0.0", synthetic=False, intended_use=""))

    def test_a_participant_in_both_cohorts_is_refused(self) -> None:
        with pytest.raises(ValueError, match="stand in both cohorts, b for one"):
            check_cohorts(cohort("ab"), cohort("bc"), "0" * 64)

    def test_features_of_another_backbone_are_refused(self) -> None:
        check_cohorts(cohort("ab"), cohort("cd"), "0" * 64)
        with pytest.raises(ValueError, match="another backbone"):
            check_cohorts(cohort("ab"), cohort("cd"), "1" * 64)

    def test_features_survive_their_file(self, tmp_path: Path) -> None:
        cohort("ab").save(tmp_path / "features.npz")
        found = CohortFeatures.load(tmp_path / "features.npz")
        assert (found.participant_ids, found.backbone_sha256) == (("a", "b"), "0" * 64)
        for view in View:
            np.testing.assert_array_equal(found.views[view].X, cohort("ab").views[view].X)
            assert found.views[view].owner is None

    def test_features_of_one_view_make_no_bundle(self) -> None:
        one = replace(cohort("ab"), views={View.LIVER_KIDNEY: cohort("ab").views[View.LIVER_KIDNEY]})
        with pytest.raises(ValueError, match="no hepatic_veins, right_portal_vein"):
            check_cohorts(one, cohort("cd"), "0" * 64)


def cohort(names: str) -> CohortFeatures:
    views = {view: Design(np.full((len(names), 1, 2048), 1 / 3)) for view in View}
    return CohortFeatures(tuple(names), np.arange(len(names)) / 7, views, "0" * 64)


class TestGolden:
    @pytest.mark.parametrize("content", ["{}", "{", '{"pdff_percent": "a"}', "[]"])
    def test_a_golden_answer_that_says_nothing_proves_nothing(self, bundle_copy: Path, content: str) -> None:
        (bundle_copy / "golden" / "expected.json").write_text(content)
        reseal(bundle_copy, lambda manifest: hash_again(bundle_copy, manifest))
        with pytest.raises(BundleUnreadable, match=r"golden/expected\.json"):
            load_bundle(bundle_copy, 1)

    def test_a_manifest_of_fewer_views_is_refused(self, bundle_copy: Path) -> None:
        reseal(bundle_copy, lambda manifest: manifest.update(views=["liver_kidney"]))
        with pytest.raises(BundleUnreadable, match="views"):
            load_bundle(bundle_copy, 1)
