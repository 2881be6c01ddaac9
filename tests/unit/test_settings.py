import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.core.evidence import name_by_texts
from app.core.naming import DEFAULT_VIEW_RULES, name_view
from app.core.values import View
from app.settings import Settings, read_view_rules


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVER_PDFF_PORT", "9000")
    assert Settings().port == 9000


def test_by_default_only_this_machine_is_served() -> None:
    assert Settings().host == "127.0.0.1"


@pytest.mark.parametrize(("name", "value"), [("PORT", "70000"), ("THREADS", "0"), ("MAX_IN_FLIGHT", "many")])
def test_nonsense_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"LIVER_PDFF_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


class TestViewRules:
    def test_without_a_file_the_english_defaults_hold(self) -> None:
        assert read_view_rules(None) == DEFAULT_VIEW_RULES

    def test_a_sites_file_replaces_them(self, tmp_path: Path) -> None:
        path = tmp_path / "rules.json"
        path.write_text(json.dumps([{"view": "liver_kidney", "pattern": r"\bleber niere\b"}]))
        rules = read_view_rules(path)
        naming = name_by_texts(["Leber/Niere"], rules)
        assert naming
        assert naming.view is View.LIVER_KIDNEY
        assert name_by_texts(["liver/kidney"], rules) is None

    def test_several_languages_are_chosen_at_once(self) -> None:
        chosen = Settings(view_languages="en, DE").languages
        rules = read_view_rules(None, chosen)
        assert name_view("RPV", rules) == name_view("rechter Pfortaderast", rules)
        assert name_view("rechter Pfortaderast") is None

    @pytest.mark.parametrize("languages", ["en,klingon", "", ","])
    def test_a_language_without_rules_is_refused_with_the_list(self, languages: str) -> None:
        with pytest.raises(ValidationError, match="en, de, fr, es, it, pt, ja, zh") as caught:
            Settings(view_languages=languages)
        assert "view_languages" in str(caught.value)

    def test_a_sites_rule_may_be_for_texts_of_the_examination_or_for_no_view(self, tmp_path: Path) -> None:
        path = tmp_path / "rules.json"
        rules = [
            {"view": "liver_kidney", "pattern": "πρωτόκολλο 4", "examination": True},
            {"view": None, "pattern": "ἀριστερ"},
        ]
        path.write_text(json.dumps(rules, ensure_ascii=False), encoding="utf-8")
        protocol, left = read_view_rules(path)
        assert protocol.examination
        assert not left.examination
        assert left.view is None

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            ('[{"view": "spleen", "pattern": "x"}]', "view"),
            ('[{"view": "liver_kidney", "pattern": "("}]', "expression"),
            ('[{"view": "liver_kidney", "pattern": "leber/niere"}]', "leber/niere.*can never match"),
            ('[{"pattern": "leber niere"}]', "view"),
        ],
    )
    def test_a_wrong_file_is_refused_at_the_start(self, tmp_path: Path, content: str, says: str) -> None:
        path = tmp_path / "rules.json"
        path.write_text(content)
        with pytest.raises(ValueError, match=says):
            read_view_rules(path)
