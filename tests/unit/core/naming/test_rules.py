import re
import time

import pytest

from app.core.naming import LANGUAGES, ViewRule, language_rules
from app.core.values import View


class TestCheck:
    @pytest.mark.parametrize("codes", [*([code] for code in LANGUAGES), [*LANGUAGES]], ids=",".join)
    def test_every_shipped_rule_is_right(self, codes: list[str]) -> None:
        for rule in language_rules(codes):
            rule.check()

    @pytest.mark.parametrize(
        "pattern",
        [
            r"\blebervenen\b",
            r"^(?!.*hinterer).*\brechter pfortaderast\b",
            "RPV",
            "ÄSTE",
            "a b",
            "a +b",
            r"a\sb",
            "a[ -]b",
            "a ?- ?b|ab",
            "(?:a|/)b",
            "a/?b",
            "a b*",
            "^a$",
            "(a)(?(1)b|/)",
            r"(a) \1",
            r"(?<=a )b",
            "(?i)Rpv",
            "[^x]rpv",
            "[а-я]+ печень",
            r"(?:\w+ )*rpv",
            "a{2,5}",
            "(?>a|ab)c",
        ],
    )
    def test_what_can_match_is_let_pass(self, pattern: str) -> None:
        ViewRule(View.HEPATIC_VEINS, pattern).check()

    @pytest.mark.parametrize(
        "pattern",
        [
            "liver/kidney",
            "leber-niere",
            "liver_kidney",
            "morison's",
            r"r\.p\.v",
            "rpv  ",
            "a  b",
            "a {2}b",
            r"a\s\sb",
            "a[ ] b",
            "^ rpv",
            r"\A rpv",
            "rpv $",
            r"rpv \Z",
            "a^b",
            "$a",
            r"[^\w\s]",
            r"[^\W\w]rpv",
            "[/-]rpv",
            "[!-/]rpv",
            r"rpv\t",
            "rpv\n",
            "（rpv）",
            r"\u00e9cho",
            "(?:/|-)rpv",
            "(?=/)rpv",
            "(?<=/)rpv",
            "(?!)rpv",
            "a(?:/b)+",
            "(/)a|-b",
        ],
    )
    def test_what_can_never_match_is_refused(self, pattern: str) -> None:
        with pytest.raises(ValueError, match=f"{re.escape(repr(pattern))} can never match: .* one space"):
            ViewRule(View.HEPATIC_VEINS, pattern).check()

    @pytest.mark.parametrize("pattern", ["", ".*", "x?", "(?!rpv)", "^", ".", r"\w", r"\b", "rpv|", "a*"])
    def test_what_matches_any_text_is_refused(self, pattern: str) -> None:
        for view in (View.HEPATIC_VEINS, None):
            with pytest.raises(ValueError, match="matches any text"):
                ViewRule(view, pattern).check()

    @pytest.mark.parametrize("pattern", ["(", "[", "*", "(?P<a>x)(?P<a>y)", "a{3,1}", "\\"])
    def test_what_is_no_expression_is_refused(self, pattern: str) -> None:
        with pytest.raises(ValueError, match="not a regular expression"):
            ViewRule(View.HEPATIC_VEINS, pattern).check()

    @pytest.mark.parametrize("pattern", ["(a+)+b", "(?:a*)*b", r"(\w+ ?)+b", "x((a+))+b", "(?=(a+)+b)", "(?:a|(b+)+)c"])
    def test_what_one_text_could_keep_busy_is_refused_at_once(self, pattern: str) -> None:
        begun_s = time.process_time()
        with pytest.raises(ValueError, match="without limit"):
            ViewRule(View.HEPATIC_VEINS, pattern).check()
        assert time.process_time() - begun_s < 1
