import re
from dataclasses import fields

import pytest

from app.core.naming import LANGUAGES, language_rules
from app.core.naming.languages import DEFAULT_VIEW_RULES
from app.core.naming.vocabulary import Vocabulary, one_of

LISTS = [(code, field.name) for code in LANGUAGES for field in fields(Vocabulary)]


class TestOneOf:
    def test_the_longest_word_is_taken(self) -> None:
        found = re.search(one_of("p|portal|portal vein"), "portal vein")
        assert found is not None
        assert found.group() == "portal vein"

    def test_a_blank_is_optional_and_an_accent_nothing(self) -> None:
        assert re.fullmatch(one_of("veine hépatique"), "veinehepatique")

    def test_a_star_stands_for_more_letters(self) -> None:
        assert re.fullmatch(one_of("thromb*"), "thrombosis")

    def test_a_single_letter_is_a_word_of_its_own(self) -> None:
        assert re.search(one_of("r"), "pv r")
        assert not re.search(one_of("r"), "pvr")

    def test_an_empty_list_matches_nothing(self) -> None:
        assert not re.search(one_of(""), "")


class TestLanguages:
    @pytest.mark.parametrize(("code", "name"), LISTS)
    def test_no_entry_is_empty_or_written_twice(self, code: str, name: str) -> None:
        entries = getattr(LANGUAGES[code], name)
        if entries:
            listed = entries.split("|")
            assert all(entry.strip(" *") for entry in listed)
            assert len(set(listed)) == len(listed)

    def test_english_is_the_default(self) -> None:
        assert language_rules(["en"]) == DEFAULT_VIEW_RULES

    def test_a_language_named_twice_counts_once(self) -> None:
        assert set(language_rules(["de", "de"])) == set(language_rules(["de"]))

    @pytest.mark.parametrize("codes", [["en", "xx"], []])
    def test_a_language_without_rules_is_refused_with_the_list(self, codes: list[str]) -> None:
        with pytest.raises(ValueError, match="en, de, fr, es, it, pt, ja, zh"):
            language_rules(codes)
