"""results.json: whole, validated, the same for the same predictions."""

import dataclasses
import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

from app.core.values import View
from tests.training.simulated import simulated_predictions
from training.predictions import AVERAGED, COMPOSITE, HeldOutPredictions, Predictions
from training.protocol import StudyProtocol
from training.results import (
    BootstrapPlan,
    Results,
    build_results,
    choose_cases,
    protocol_sha256,
    read_results,
    write_results,
)

PLAN = BootstrapPlan(resamples=100, seed=3)
PROTOCOL = {"seed": 3, "views": tuple(View), "inner_folds": 4}


@cache
def results() -> Results:
    return build_results(simulated_predictions(), PROTOCOL, "Simulated", synthetic=True, bootstrap=PLAN)


def only(predictions: HeldOutPredictions, *models: str) -> HeldOutPredictions:
    return dataclasses.replace(predictions, models={model: predictions.models[model] for model in models})


class TestBuild:
    def test_holds_every_held_out_prediction(self) -> None:
        predictions, found = simulated_predictions(), results()
        assert tuple(each.participant_id for each in found.participants) == predictions.participant_ids
        np.testing.assert_array_equal(found.pdff_percent, predictions.pdff_percent)
        for model, predicted in predictions.models.items():
            np.testing.assert_array_equal(found.predicted_pdff_percent(model), predicted.pdff_percent)
            outputs = [each.outputs[model] for each in found.participants]
            np.testing.assert_array_equal([each.probability_ge5 for each in outputs], predicted.probability_ge5)
            np.testing.assert_array_equal([each.probability_ge10 for each in outputs], predicted.probability_ge10)

    def test_counts_the_cohort_as_the_paper_does(self) -> None:
        cohort = results().cohort
        assert (cohort.participants, cohort.below_5_percent, cohort.below_10_percent, cohort.above_30_percent) == (
            135, 17, 51, 5,
        )  # fmt: skip

    def test_each_cutoff_is_judged_by_its_own_probability(self) -> None:
        predictions, found = simulated_predictions(), results()
        for model, predicted in predictions.models.items():
            auc5 = roc_auc_score(predictions.pdff_percent >= 5, predicted.probability_ge5)
            auc10 = roc_auc_score(predictions.pdff_percent >= 10, predicted.probability_ge10)
            assert (found.models[model].ge5.auc, found.models[model].ge10.auc) == pytest.approx((auc5, auc10))

    def test_tables_are_near_the_whole_cohorts_figures(self) -> None:
        found = results()
        for table, cutoff in ((found.tables.table_1, "ge5"), (found.tables.table_2, "ge10")):
            for row in table:
                assert row.auc.mean == pytest.approx(getattr(found.models[row.model], cutoff).auc, abs=0.02)

    def test_compares_the_averaged_model_with_each_other_one(self) -> None:
        comparisons = results().comparisons
        families = {(each.test, each.quantity) for each in comparisons}
        assert len(families) == 6
        assert len(comparisons) == 6 * 5
        for each in comparisons:
            assert each.first == AVERAGED
            assert each.comparisons == 5
            assert each.p_corrected == pytest.approx(min(1, 5 * each.p_value))

    def test_bias_is_read_out_above_30_percent_and_below(self) -> None:
        low, high = results().models[AVERAGED].pdff.strata
        assert (low.participants, high.participants) == (130, 5)
        assert high.bias is not None
        assert low.bias is not None
        assert high.bias < -5 < low.bias

    def test_one_view_is_enough(self) -> None:
        predictions = only(simulated_predictions(), View.LIVER_KIDNEY)
        found = build_results(predictions, {}, "One view", synthetic=True, bootstrap=PLAN)
        assert [row.model for row in found.tables.table_1] == [View.LIVER_KIDNEY]
        assert found.comparisons == ()

    def test_rows_come_in_the_papers_order(self) -> None:
        predictions = only(simulated_predictions(), COMPOSITE, AVERAGED, *reversed(View))
        found = build_results(predictions, {}, "Shuffled", synthetic=True, bootstrap=PLAN)
        assert list(found.models) == [*View, AVERAGED, COMPOSITE]

    def test_refuses_a_cohort_without_negatives(self) -> None:
        predictions = dataclasses.replace(simulated_predictions(), pdff_percent=np.linspace(6, 40, 135))
        with pytest.raises(ValueError, match="has 0 below and 135 at or above"):
            build_results(predictions, {}, "All fat", synthetic=True, bootstrap=PLAN)

    def test_refuses_what_is_not_finite(self) -> None:
        predictions = simulated_predictions()
        broken = np.where(np.arange(135) == 7, np.nan, predictions.models[AVERAGED].pdff_percent)
        averaged = predictions.models[AVERAGED]
        models = {**predictions.models, AVERAGED: Predictions(broken, averaged.probability_ge5, averaged.probability_ge10)}  # fmt: skip # noqa: E501 - one row
        with pytest.raises(ValueError, match="finite"):
            build_results(dataclasses.replace(predictions, models=models), {}, "", synthetic=True, bootstrap=PLAN)


class TestFile:
    def test_reads_back_what_was_written(self, tmp_path: Path) -> None:
        assert read_results(write_results(results(), tmp_path / "deep" / "results.json")) == results()

    def test_the_same_predictions_give_the_same_bytes(self, tmp_path: Path) -> None:
        again = build_results(simulated_predictions(), PROTOCOL, "Simulated", synthetic=True, bootstrap=PLAN)
        first, second = (write_results(each, tmp_path / f"{i}.json") for i, each in enumerate((results(), again)))
        assert first.read_bytes() == second.read_bytes()

    def test_leaves_no_other_file(self, tmp_path: Path) -> None:
        write_results(results(), tmp_path / "results.json")
        assert [path.name for path in tmp_path.iterdir()] == ["results.json"]

    def test_what_does_not_read_back_replaces_nothing(self, tmp_path: Path) -> None:
        path = write_results(results(), tmp_path / "results.json")
        before = path.read_bytes()
        with pytest.raises(ValidationError):
            write_results(results().model_copy(update={"made_by": None}), path)
        assert path.read_bytes() == before

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"schema_version": 2}, "schema_version"),
            ({"protocol": {"seed": 4}}, "not the hash of protocol"),
            ({"participants": []}, "not the number of participants"),
            ({"surprise": 1}, "surprise"),
        ],
    )
    def test_refuses_what_was_changed(self, tmp_path: Path, change: dict[str, object], complaint: str) -> None:
        path = write_results(results(), tmp_path / "results.json")
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        with pytest.raises(ValidationError, match=complaint):
            read_results(path)

    def test_refuses_a_table_cell_that_is_no_number(self, tmp_path: Path) -> None:
        path = write_results(results(), tmp_path / "results.json")
        document = json.loads(path.read_text())
        document["tables"]["table_1"][0]["auc"]["mean"] = None
        path.write_text(json.dumps(document))
        with pytest.raises(ValidationError, match=r"table_1\.0\.auc\.mean"):
            read_results(path)


class TestProtocolHash:
    def test_is_that_of_the_sorted_json(self) -> None:
        expected = hashlib.sha256(b'{"a":[1,2],"b":"x"}').hexdigest()
        assert protocol_sha256({"b": "x", "a": (1, 2)}) == expected

    def test_is_the_protocols_own(self) -> None:
        protocol = StudyProtocol()
        assert protocol_sha256(dataclasses.asdict(protocol)) == protocol.sha256()

    def test_survives_the_file(self) -> None:
        assert results().protocol_sha256 == protocol_sha256(PROTOCOL)


class TestCases:
    def test_the_right_one_is_right_in_all_views_and_near_17_percent(self) -> None:
        found = results()
        case = next(each for each in found.participants if each.participant_id == choose_cases(found).right)
        assert case.pdff_percent == pytest.approx(17, abs=2)
        for view in View:
            assert case.outputs[view].probability_ge5 >= found.models[view].ge5.operating_point.probability

    def test_the_wrong_one_is_wrong_in_most_views(self) -> None:
        found = results()
        case = next(each for each in found.participants if each.participant_id == choose_cases(found).wrong)
        called = [
            case.outputs[view].probability_ge5 >= found.models[view].ge5.operating_point.probability for view in View
        ]
        assert sum(call != (case.pdff_percent >= 5) for call in called) >= 3
