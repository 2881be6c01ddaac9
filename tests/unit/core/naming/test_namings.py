import random
import time
import unicodedata
from collections.abc import Callable, Iterable
from itertools import combinations, permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.naming import LANGUAGES, ViewRule, language_rules, name_view
from app.core.naming.namings import LONGEST_TEXT
from app.core.values import View
from tests.unit.core.naming.typed import TYPED

RULES = {code: language_rules([code]) for code in LANGUAGES}
ALL_LANGUAGES = language_rules(LANGUAGES)

FULL_WIDTH = {ord(" "): 0x3000} | {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
NOT = {
    "en": "not",
    "de": "kein",
    "fr": "pas de",
    "es": "sin",
    "it": "senza",
    "pt": "sem",
    "ja": "除外",
    "zh": "未见",
}
AFTER = {"en": "post op", "de": "postop.", "fr": "post-opératoire", "es": "postoperatorio", "it": "post-operatorio"} | {
    "pt": "pós-operatório",
    "ja": "術後",
    "zh": "术后",
}


def view_of(text: str, code: str) -> View | None:
    naming = name_view(text, RULES[code])
    return naming.view if naming else None


def typed(code: str) -> list[tuple[View | None, str]]:
    return [(view, text) for view, texts in TYPED[code].items() for text in texts]


def names(code: str) -> list[str]:
    return [text for view, text in typed(code) if view]


@pytest.mark.parametrize("code", LANGUAGES)
class TestWhatIsTyped:
    """A language's whole table at once; what fails is listed."""

    @staticmethod
    def changed(code: str, otherwise: Callable[[str], Iterable[str]]) -> list[str]:
        """List what names something else when it is typed otherwise."""
        rules = RULES[code]
        return [
            other
            for _, text in typed(code)
            for other in otherwise(text)
            if name_view(other, rules) != name_view(text, rules)
        ]

    def test_it_names_its_view_or_none(self, code: str) -> None:
        assert [(text, view_of(text, code)) for view, text in typed(code) if view_of(text, code) is not view] == []

    def test_other_languages_beside_it_change_nothing(self, code: str) -> None:
        rules = RULES[code]
        assert [text for _, text in typed(code) if name_view(text, ALL_LANGUAGES) != name_view(text, rules)] == []

    def test_case_does_not_matter(self, code: str) -> None:
        assert self.changed(code, lambda text: (text.upper(), text.lower(), text.title())) == []

    def test_accents_do_not_matter_however_they_are_encoded(self, code: str) -> None:
        def otherwise(text: str) -> tuple[str, ...]:
            apart = unicodedata.normalize("NFD", text)
            without = "".join(char for char in apart if not "\u0300" <= char <= "\u036f")
            return apart, without, unicodedata.normalize("NFC", text)

        assert self.changed(code, otherwise) == []

    def test_width_does_not_matter(self, code: str) -> None:
        assert self.changed(code, lambda text: [text.translate(FULL_WIDTH)]) == []

    def test_punctuation_is_a_blank(self, code: str) -> None:
        separators = ("/", "_", " - ", ", ", "\t", "\r\n", "\u3000", "・")
        assert self.changed(code, lambda text: (text.replace(" ", each) for each in separators)) == []

    @pytest.mark.parametrize("seed", range(3))
    def test_the_order_of_the_rules_does_not_matter(self, code: str, seed: int) -> None:
        shuffled = random.Random(seed).sample(RULES[code], len(RULES[code]))
        assert [text for _, text in typed(code) if name_view(text, shuffled) != name_view(text, RULES[code])] == []


@pytest.mark.parametrize("code", LANGUAGES)
class TestWhatTakesANameAway:
    @pytest.mark.parametrize("others", [False, True])
    def test_a_negation(self, code: str, others: bool) -> None:
        rules = ALL_LANGUAGES if others else RULES[code]
        assert [text for text in names(code) if name_view(f"{NOT[code]} {text}", rules)] == []

    def test_a_time_after_an_operation(self, code: str) -> None:
        assert [text for text in names(code) if name_view(f"{text} {AFTER[code]}", RULES[code])] == []

    @pytest.mark.parametrize("doubt", ["{}?", "? {}", "{} ?", "¿{}?", "{}？"])
    def test_doubt(self, code: str, doubt: str) -> None:
        assert [text for text in names(code) if name_view(doubt.format(text), RULES[code])] == []

    def test_what_makes_it_too_long_for_a_name(self, code: str) -> None:
        rules = RULES[code]
        assert [text for text in names(code) if name_view(text + " x" * LONGEST_TEXT, rules)] == []
        longer = [text for text in names(code) if name_view(text + " " * LONGEST_TEXT, rules) != name_view(text, rules)]
        assert longer == [], "blanks alone"


class TestNameView:
    @pytest.mark.parametrize("code", LANGUAGES)
    def test_every_language_has_a_table(self, code: str) -> None:
        names = [text for view, texts in TYPED[code].items() if view for text in texts]
        assert set(TYPED[code]) == {*View, None}
        assert len(set(names)) >= 25
        assert len(set(TYPED[code][None])) >= 15

    @pytest.mark.parametrize("code", LANGUAGES)
    def test_a_text_that_names_two_views_decides_nothing(self, code: str) -> None:
        for first, second in combinations(View, 2):
            for one, other in product(TYPED[code][first], TYPED[code][second]):
                assert name_view(f"{one}, {other}", RULES[code]) is None, f"{one}, {other}"

    @pytest.mark.parametrize(
        ("code", "right", "posterior", "portal_vein"),
        [
            ("en", "right", "posterior", "portal vein"),
            ("de", "rechts", "posterior", "Pfortader"),
            ("fr", "droite", "postérieure", "veine porte"),
            ("es", "derecha", "posterior", "vena porta"),
            ("it", "destra", "posteriore", "vena porta"),
            ("pt", "direita", "posterior", "veia porta"),
            ("ja", "右", "後枝", "門脈"),
            ("zh", "右", "后支", "门静脉"),
        ],
    )
    def test_the_order_of_side_and_vessel_does_not_matter(
        self, code: str, right: str, posterior: str, portal_vein: str
    ) -> None:
        assert {view_of(" ".join(words), code) for words in permutations([right, portal_vein])} == {
            View.RIGHT_PORTAL_VEIN
        }
        assert {view_of(" ".join(words), code) for words in permutations([right, posterior, portal_vein])} == {
            View.RIGHT_POSTERIOR_PORTAL_VEIN
        }

    @pytest.mark.parametrize(
        "text",
        [
            "RIGHT PORTAL VEIN",
            "HEPATIC VEINS",
            "RT POST PV",
            "LIVER RT KIDNEY",
            "RIGHT POSTERIOR PORTAL VEIN",
            "HV IVC",
        ],
    )
    def test_blanks_that_a_screen_reader_drops_do_not_matter(self, text: str) -> None:
        words = text.split()
        for joined in product(("", " "), repeat=len(words) - 1):
            typed = "".join(map("".join, zip(words, (*joined, ""), strict=True)))
            assert view_of(typed, "en") is view_of(text, "en") is not None, typed

    @pytest.mark.parametrize(
        "text", ["RPV", "Right portal vein", "LIVER TRANS RT PV", "RPV #2", "RPV LLD", "view 3: RPV"]
    )
    def test_planes_positions_the_liver_and_numbers_are_nothing_else(self, text: str) -> None:
        assert name_view(text) == (View.RIGHT_PORTAL_VEIN, True)

    @pytest.mark.parametrize("text", ["RPV 12 cm/s", "RPV flow", "gallbladder, RPV", "RPV DOE"])
    def test_what_it_names_beside_the_view_is_told(self, text: str) -> None:
        assert name_view(text) == (View.RIGHT_PORTAL_VEIN, False)

    def test_a_character_that_got_lost_is_no_doubt(self) -> None:
        rules = [ViewRule(View.LIVER_KIDNEY, "h gado ri n")]
        assert name_view("H?gado-ri?n", rules) is not None

    def test_no_before_a_digit_is_a_number(self) -> None:
        assert name_view("HV No. 2") is not None
        assert name_view("No HV") is None

    @given(st.text(max_size=80))
    def test_no_text_is_too_strange(self, text: str) -> None:
        name_view(text)

    @pytest.mark.parametrize(
        "word", ["pv ", "rt", "v ", "a ", "hv ", "r l m ", "right ", "liver and ", "肝", "右門脈", "post "]
    )
    def test_no_text_keeps_the_rules_busy(self, word: str) -> None:
        text = (word * LONGEST_TEXT)[: LONGEST_TEXT - 1] + "x"
        name_view(text)  # compiles
        begun_s = time.process_time()
        name_view(text)
        assert time.process_time() - begun_s < 1


class TestASitesRules:
    @pytest.mark.parametrize(
        ("pattern", "text"),
        [
            (r"\blebervenen\b", "LEBERVENEN quer"),
            ("Leber Niere", "leber-niere"),
            ("ήπαρ νεφρός", "ΗΠΑΡ/ΝΕΦΡΟΣ"),
            ("ΗΠΑΡ ΝΕΦΡΟΣ", "ήπαρ νεφρός"),
            (r"\bпечень почка\b", "ПЕЧЕНЬ / ПОЧКА"),
            (r"\bkaraciğer böbrek\b", "KARACİĞER BÖBREK"),
            (r"\bsağ hepatik ven\b", "SAĞ HEPATİK VEN"),
            (r"\bayrım\b", "AYRIM"),
            ("ve\u0301sicule", "VÉSICULE"),
            (r"\bVÉSICULE\b", "vesicule"),
            (r"gro(ß|ss)e", "GROSSE"),
            ("ﾓﾘｿﾝ窩", "モリソン窩"),
            ("モリソン窩", "ﾓﾘｿﾝ窩"),
            (r"\bयकृत और गुर्दे\b", "यकृत/और/गुर्दे"),
            (r"\bตับและไต\b", "ตับและไต"),
            ("[éè]cho", "Echo"),
            ("간 신장", "간/신장"),
            (r"\bכבד כליה\b", "כבד-כליה"),
        ],
    )
    def test_they_match_in_every_script_and_spelling(self, pattern: str, text: str) -> None:
        rule = ViewRule(View.LIVER_KIDNEY, pattern)
        rule.check()
        assert name_view(text, [rule]) is not None

    def test_they_replace_the_shipped_ones(self) -> None:
        rules = [ViewRule(View.HEPATIC_VEINS, r"\blebervenen\b")]
        assert name_view("Lebervenen quer", rules) == (View.HEPATIC_VEINS, True)
        assert name_view("hepatic veins", rules) is None

    def test_a_rule_without_a_view_takes_the_name_away(self) -> None:
        rules = [ViewRule(View.RIGHT_PORTAL_VEIN, "pfortader"), ViewRule(None, "links")]
        assert name_view("Pfortader", rules) is not None
        assert name_view("Pfortader links", rules) is None

    def test_a_group_says_what_the_name_is(self) -> None:
        whole, group = ViewRule(View.LIVER_KIDNEY, "^.*niere"), ViewRule(View.LIVER_KIDNEY, "^.*(?P<view>niere)")
        assert name_view("Gallenstein Niere", [whole]) == (View.LIVER_KIDNEY, True)
        assert name_view("Gallenstein Niere", [group]) == (View.LIVER_KIDNEY, False)
