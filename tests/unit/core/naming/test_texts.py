import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.naming.expressions import compiled
from app.core.naming.texts import fold, normalise

LETTERS = st.text(st.characters(categories=("L", "Nd")), min_size=1, max_size=12)


class TestNormalise:
    @pytest.mark.parametrize(
        ("text", "normalised"),
        [
            ("RT LIVER/KIDNEY", "rt liver kidney"),
            ("  liver__kidney\n", "liver kidney"),
            ("Müller", "muller"),
            ("Mu\u0308ller", "muller"),
            ("STRASSE, Straße", "strasse strasse"),
            ("KARACİĞER, karaciğer", "karaciger karaciger"),
            ("AYRIM, ayrım", "ayrim ayrim"),
            ("ΝΕΦΡΟΣ, νεφρός", "νεφροσ νεφροσ"),
            ("ＲＰＶ　２", "rpv 2"),
            ("ﾊﾟﾀｰﾝ", "パターン"),
            ("は\u3099", "ば"),
            ("RP\u00adV\u200b", "rpv"),
            ("", ""),
            ("…", ""),
        ],
    )
    def test_gives_one_form(self, text: str, normalised: str) -> None:
        assert normalise(text) == normalised

    @given(st.text())
    def test_of_its_own_result_changes_nothing(self, text: str) -> None:
        assert normalise(normalise(text)) == normalise(text)

    @given(st.text())
    def test_leaves_letters_digits_and_single_blanks(self, text: str) -> None:
        words = normalise(text).split(" ")
        assert words == [""] or all(word.isalnum() for word in words)

    @given(st.text())
    def test_equivalent_texts_are_one(self, text: str) -> None:
        for form in ("NFC", "NFD"):
            assert normalise(unicodedata.normalize(form, text)) == normalise(text)


class TestFoldPattern:
    @given(LETTERS)
    def test_a_word_as_a_pattern_finds_itself(self, word: str) -> None:
        assume(fold(word).isalnum())
        for form in ("NFC", "NFD"):
            assert compiled(unicodedata.normalize(form, word)).search(normalise(word))

    @pytest.mark.parametrize("pattern", [r"\Bx", r"(?P<Name>a)\b", r"\Aa\Z", r"[^\W]"])
    def test_the_syntax_stays(self, pattern: str) -> None:
        assert compiled(pattern).pattern == pattern

    def test_letters_may_fold_to_two(self) -> None:
        assert fold("ß") == "ss"
