"""Thousands of studies from a folder tree: one row each, whatever happens in between."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from app.adapters.archive.score_table import SCHEMA, ScoreTable
from app.core.scores import SCORED, columns
from app.core.values import View
from app.score_run import Tally, score_source
from app.settings import Settings
from tests.factories import ct_instance, four_view_study, truncated, uid, us_instance

SMALL: dict[str, Any] = {"rows": 240, "columns": 320}
Rows = dict[str, dict[str, Any]]


def study_uid(number: int) -> str:
    return uid("study", 1, number)


def write(folder: Path, contents: Mapping[Any, bytes] | list[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(contents.values() if isinstance(contents, Mapping) else contents):
        (folder / f"{number}.dcm").write_bytes(content)


def rows(table: Path) -> Rows:
    return {row["study_instance_uid"]: row for row in pq.read_table(table).to_pylist()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An archive as archives are: studies in folders and across them, other things in between."""
    root = tmp_path / "tree"
    write(root / "a" / "deep" / "er", four_view_study(study=1, **SMALL))
    flat = list(four_view_study(study=2, **SMALL).values())
    write(root / "b", flat[:2])
    write(root / "c", [*flat[2:], us_instance(view="Spleen", study=2, number=9, **SMALL)])
    write(root / "d", list(four_view_study(study=3, **SMALL).values())[:3])
    damaged = four_view_study(study=4, **SMALL)
    damaged[View.LIVER_KIDNEY] = truncated(damaged[View.LIVER_KIDNEY], 0.9)
    write(root / "e", damaged)
    write(root / "f", [ct_instance(), b"no DICOM at all", b""])
    return root


@pytest.fixture
def score(bundle_folder: Path, tmp_path: Path) -> Callable[..., tuple[Tally, Rows]]:
    """Score a tree as the command line does."""

    def run(
        source: Path, name: str = "scores.parquet", bundle: Path = bundle_folder, dask: str = "", **how: bool
    ) -> Any:
        tally = score_source(Settings(bundle=bundle, threads=2), str(source), tmp_path / name, dask, **how)
        return tally, rows(tmp_path / name)

    return run


def test_every_study_has_a_row_that_says_what_became_of_it(
    score: Callable[..., tuple[Tally, Rows]], tree: Path
) -> None:
    tally, found = score(tree)
    outcomes = {number: found[study_uid(number)]["outcome"] for number in range(1, 5)}
    assert outcomes == {1: SCORED, 2: SCORED, 3: "incomplete_study", 4: "incomplete_study"}
    assert (found[study_uid(1)]["instances"], found[study_uid(1)]["instances_set_aside"]) == (5, "not_ultrasound:1")
    assert (found[study_uid(2)]["instances"], found[study_uid(2)]["instances_set_aside"]) == (5, "unrecognised_view:1")
    assert found[study_uid(3)]["detail"] == "Missing: liver_kidney."
    assert found[study_uid(4)]["instances_set_aside"] == "undecodable_pixels:1"
    assert tally.outcomes == {SCORED: 2, "incomplete_study": 2}
    assert not tally.unavailable


def test_a_row_says_what_analyze_says(
    score: Callable[..., tuple[Tally, Rows]],
    tmp_path: Path,
    phantom_study: dict[View, bytes],
    bundle_folder: Path,
) -> None:
    write(tmp_path / "one", phantom_study)
    _, found = score(tmp_path / "one")
    [row] = found.values()
    files = [str(path) for path in sorted((tmp_path / "one").iterdir())]
    said = subprocess.run(
        [sys.executable, "-m", "app.cli", "analyze", "--json", *files],
        env=os.environ | {"LIVER_PDFF_BUNDLE": str(bundle_folder)},
        capture_output=True,
        check=True,
    )
    answer = json.loads(said.stdout)
    for name in ("pdff_percent", "probability_ge5", "probability_ge10", "steatosis_ge5", "steatosis_ge10"):
        assert row[name] == answer["estimate"][name]
    for view in answer["views"]:
        for name in ("sop_instance_uid", "view_source", "pdff_percent", "probability_ge5", "probability_ge10"):
            assert row[f"{view['view']}_{name}"] == view[name]
    assert row["bundle_sha256"] == answer["bundle"]["sha256"]
    assert row["bundle_synthetic"] is True
    assert list(row) == list(columns())


def test_what_has_a_row_is_not_asked_again(score: Callable[..., tuple[Tally, Rows]], tree: Path) -> None:
    _, first = score(tree)
    tally, second = score(tree)
    assert (tally.known, tally.outcomes.total()) == (4, 0)
    assert second == first
    tally, third = score(tree, again=True, allow_partial=True)
    assert tally.outcomes == {SCORED: 2}
    assert third[study_uid(1)] == first[study_uid(1)]
    assert third[study_uid(3)]["pdff_percent"] is not None
    assert third[study_uid(3)]["liver_kidney_pdff_percent"] is None
    assert "partial_study" in third[study_uid(3)]["warnings"]


def test_a_cluster_of_two_processes_gives_the_same_rows(score: Callable[..., tuple[Tally, Rows]], tree: Path) -> None:
    _, here = score(tree)
    _, there = score(tree, "there.parquet", dask="2")
    assert there == here


def test_a_killed_run_goes_on(score: Callable[..., tuple[Tally, Rows]], tmp_path: Path, bundle_folder: Path) -> None:
    for number in range(16):
        write(tmp_path / "tree" / str(number), four_view_study(study=number, **SMALL))
    journal = tmp_path / "killed.parquet.journal"
    command = [
        sys.executable,
        "-m",
        "app.cli",
        "score",
        str(tmp_path / "tree"),
        "--out",
        str(tmp_path / "killed.parquet"),
    ]
    with subprocess.Popen(command, env=os.environ | {"LIVER_PDFF_BUNDLE": str(bundle_folder)}) as process:
        while not journal.exists() or journal.read_bytes().count(b"\n") < 3:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    with journal.open("a") as file:
        file.write('{"study_instance_uid": "1.2.3", "outc')  # the line that it was writing
    tally, resumed = score(tmp_path / "tree", "killed.parquet")
    assert 3 <= tally.known < 16
    assert tally.known + tally.outcomes.total() == 16
    _, whole = score(tmp_path / "tree", "whole.parquet")
    assert resumed == whole
    assert not journal.exists()


def test_a_file_that_cannot_be_read_leaves_its_study_for_the_next_run(
    score: Callable[..., tuple[Tally, Rows]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "tree" / "1", four_view_study(study=1, **SMALL))
    write(tmp_path / "tree" / "2", four_view_study(study=2, **SMALL))
    with monkeypatch.context() as patch:
        read = Path.read_bytes

        def failing(path: Path) -> bytes:
            if path.parent.name == "2" and path.suffix == ".dcm":
                raise OSError("Stale file handle")
            return read(path)

        patch.setattr(Path, "read_bytes", failing)
        tally, found = score(tmp_path / "tree")
    assert (tally.outcomes, tally.unavailable) == ({SCORED: 1}, {"Stale file handle": 1})
    assert "Run the same command again" in tally.sentences()
    assert list(found) == [study_uid(1)]
    tally, found = score(tmp_path / "tree")
    assert (tally.known, tally.outcomes) == (1, {SCORED: 1})


class TestTable:
    def test_another_bundles_table_is_not_mixed(
        self, score: Callable[..., tuple[Tally, Rows]], tree: Path, tmp_path: Path
    ) -> None:
        score(tree)
        with pytest.raises(ValueError, match="Name another --out"):
            ScoreTable(tmp_path / "scores.parquet", "0" * 64)

    def test_what_is_no_table_of_scores_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("mine")
        with pytest.raises(ValueError, match="no table of scores"):
            ScoreTable(path, "0" * 64)
        assert path.read_text() == "mine"

    def test_two_runs_do_not_write_one_table(self, tmp_path: Path) -> None:
        path = tmp_path / "scores.parquet"
        with ScoreTable(path, "0" * 64), pytest.raises(ValueError, match="Another run"), ScoreTable(path, "0" * 64):
            pass

    def test_an_empty_tree_gives_an_empty_table(self, score: Callable[..., tuple[Tally, Rows]], tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        _, found = score(tmp_path / "empty")
        assert found == {}
        assert pq.read_schema(tmp_path / "scores.parquet").equals(SCHEMA)


def test_a_source_that_is_not_there_leaves_nothing_behind(
    score: Callable[..., tuple[Tally, Rows]], tmp_path: Path
) -> None:
    with pytest.raises(NotADirectoryError, match="is no folder"):
        score(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []
