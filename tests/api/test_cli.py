"""The command line: thin verbs over the service's own functions."""

import io
import json
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import __version__
from app.adapters.bundle.store import Bundle
from app.adapters.storage.database import Database
from app.cli import main
from app.core.errors import StorageUnavailable
from app.core.notices import VIEW_NAMES
from app.core.values import View
from app.settings import unknown_settings


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line as the shell does and give its exit status."""
    monkeypatch.setattr(sys, "argv", ["liver-pdff", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "version") == 0
    assert capsys.readouterr().out.strip() == __version__


def test_a_good_bundle_is_verified(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bundle: Bundle, bundle_folder: Path
) -> None:
    assert run(monkeypatch, "bundle", "verify", str(bundle_folder)) == 0
    assert bundle.sha256 in capsys.readouterr().out


def test_a_bad_bundle_is_one_sentence_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bundle_copy: Path
) -> None:
    (bundle_copy / "heads.json").write_text("{}")
    assert run(monkeypatch, "bundle", "verify", str(bundle_copy)) == 1
    assert capsys.readouterr().err.startswith("checksum_mismatch: heads.json differs")


def test_the_demonstration_is_the_training_packages(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "__init__.py").touch()
    (tmp_path / "training" / "__main__.py").write_text("import sys\nprint(sys.argv[1:])\nsys.exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "demo") == 3
    assert capfd.readouterr().out == "['demo']\n"


def test_without_the_training_package_the_demonstration_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("app.cli.find_spec", lambda name: None)
    assert run(monkeypatch, "demo") == 1
    assert "make demo" in capsys.readouterr().err


class TestAnalyze:
    @pytest.fixture
    def files(self, phantom_study: dict[View, bytes], tmp_path: Path) -> dict[View, Path]:
        paths = {view: tmp_path / f"{view}.dcm" for view in View}
        for view, path in paths.items():
            path.write_bytes(phantom_study[view])
        return paths

    @pytest.fixture(autouse=True)
    def bundle_setting(self, monkeypatch: pytest.MonkeyPatch, bundle_folder: Path) -> None:
        monkeypatch.setenv("LIVER_PDFF_BUNDLE", str(bundle_folder))

    def test_it_says_what_the_service_says(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        files: dict[View, Path],
        client: TestClient,
        tmp_path: Path,
    ) -> None:
        out = tmp_path / "out"
        assert run(monkeypatch, "analyze", "--json", "--out", str(out), *map(str, files.values())) == 0
        said = json.loads(capsys.readouterr().out)
        served = client.post(
            "/v1/analyses", files={str(view): path.read_bytes() for view, path in files.items()}
        ).json()
        assert said["estimate"] == served["estimate"]
        assert set(served) - set(said) == {"id", "dicom_urls", "fhir_url"}
        assert json.loads((out / "analysis.json").read_text()) == said
        for view in served["views"]:
            stored = client.get(view["tissue_url"]).content
            assert (out / f"{view['view']}.tissue.png").read_bytes() == stored
        assert len(list(out.glob("*.overlay.*.png"))) == 12
        report = (out / "report.html").read_text()
        assert "Not a medical device" in report
        assert f"{said['estimate']['pdff_percent']:.1f}" in report

    def test_the_table_has_every_view_and_the_limits(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], files: dict[View, Path]
    ) -> None:
        assert run(monkeypatch, "analyze", *map(str, files.values())) == 0
        said = capsys.readouterr().out
        for text in (
            *VIEW_NAMES.values(),
            "Averaged",
            "Not a medical device",
            "underestimate PDFF above 30 %",
            "synthetic",
        ):
            assert text in said

    def test_a_view_may_be_named_and_others_done_without(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], files: dict[View, Path]
    ) -> None:
        named = f"liver_kidney={files[View.HEPATIC_VEINS]}"
        assert run(monkeypatch, "analyze", "--allow-partial", named) == 0
        assert "its DICOM text names hepatic_veins" in capsys.readouterr().out

    def test_everything_that_is_wrong_is_said_with_its_file(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        files: dict[View, Path],
        tmp_path: Path,
    ) -> None:
        for name in ("one.txt", "two.txt"):
            (tmp_path / name).write_text("no DICOM")
        wrong = [str(tmp_path / name) for name in ("one.txt", "two.txt")]
        assert run(monkeypatch, "analyze", *wrong, str(files[View.LIVER_KIDNEY])) == 1
        lines = capsys.readouterr().err.splitlines()
        assert [line.split(": not_dicom: ")[0] for line in lines] == wrong
        assert run(monkeypatch, "analyze", str(files[View.LIVER_KIDNEY])) == 1
        assert capsys.readouterr().err.startswith("incomplete_study: Missing: hepatic_veins")
        assert run(monkeypatch, "analyze", str(tmp_path / "nowhere.dcm")) == 1
        assert "No such file" in capsys.readouterr().err


def test_the_card_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bundle_folder: Path
) -> None:
    assert run(monkeypatch, "bundle", "show", str(bundle_folder)) == 0
    assert "not for clinical use" in capsys.readouterr().out


def test_the_schema_goes_up_and_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/cli.db"
    monkeypatch.setenv("LIVER_PDFF_DATABASE_URL", url)
    assert run(monkeypatch, "db", "upgrade") == 0
    with Database(url) as database:
        database.check()
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(monkeypatch, "db", "downgrade", "base") == 1
    with Database(url) as database:
        database.check()
    assert run(monkeypatch, "db", "downgrade", "base", "--yes") == 0
    with Database(url) as database, pytest.raises(StorageUnavailable, match="db upgrade"):
        database.check()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("LIVER_PDFF_PORT", "99999", "port"),
        ("LIVER_PDFF_LOG_LEVEL", "loud", "log_level"),
        ("LIVER_PDFF_VIEW_RULES", "/nowhere/rules.json", "rules.json"),
    ],
)
def test_a_wrong_setting_is_one_sentence_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    assert run(monkeypatch, "serve") == 1
    captured = capsys.readouterr().err
    assert says in captured
    assert "Traceback" not in captured


@pytest.mark.parametrize("url", ["nonsense", "oracle://somewhere", "postgresql+psycopg://x@127.0.0.1:1/none"])
def test_a_database_that_is_none_is_one_sentence_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.setenv("LIVER_PDFF_DATABASE_URL", url)
    assert run(monkeypatch, "db", "upgrade") == 1
    assert capsys.readouterr().err.startswith("storage_unavailable: ")


def test_a_misspelt_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVER_PDFF_MAX_INFLIGHT", "3")
    assert "LIVER_PDFF_MAX_INFLIGHT" in unknown_settings()
    assert "LIVER_PDFF_PORT" not in unknown_settings()


class TestKeys:
    @pytest.fixture(autouse=True)
    def database(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("LIVER_PDFF_DATABASE_URL", f"sqlite:///{tmp_path}/cli.db")

    def test_a_key_is_made_listed_and_revoked(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(monkeypatch, "keys", "create", "orthanc", "--scope", "submit", "--scope", "read") == 0
        key = capsys.readouterr().out.strip()
        key_id = key.split("_")[1]
        assert run(monkeypatch, "keys", "list") == 0
        listed = capsys.readouterr().out
        assert f"{key_id}  " in listed
        assert "read,submit" in listed
        assert "valid" in listed
        assert key not in listed
        assert run(monkeypatch, "keys", "revoke", key_id) == 0
        capsys.readouterr()
        assert run(monkeypatch, "keys", "list") == 0
        assert "revoked 20" in capsys.readouterr().out
        assert run(monkeypatch, "keys", "revoke", key_id) == 1
        assert capsys.readouterr().err.startswith("unknown_resource: ")

    def test_a_scope_that_is_none_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(monkeypatch, "keys", "create", "x", "--scope", "everything") == 2
        assert "submit" in capsys.readouterr().err

    def test_the_trail_is_exported_as_json_lines(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(monkeypatch, "keys", "create", "x", "--scope", "admin") == 0
        capsys.readouterr()
        assert run(monkeypatch, "audit", "export") == 0
        records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [record["action"] for record in records] == ["key_create", "export"]
        assert all(record["actor"].startswith("cli:") for record in records)
        assert run(monkeypatch, "audit", "export", "--since", "2126-01-01") == 0
        assert capsys.readouterr().out == ""


def test_an_open_service_does_not_start_on_the_network(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "serve", "--host", "0.0.0.0") == 1
    assert "LIVER_PDFF_OPEN_TO_THE_NETWORK=true" in capsys.readouterr().err
