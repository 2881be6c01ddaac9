"""The languages that sonographers write, beside each other."""

import re
from collections.abc import Iterable

from app.core.naming.languages import chinese, english, french, german, italian, japanese, portuguese, spanish
from app.core.naming.languages.abbreviations import ABBREVIATIONS
from app.core.naming.rules import ViewRule
from app.core.naming.vocabulary import Vocabulary, one_of, view_rules

LANGUAGES: dict[str, Vocabulary] = {
    "en": english.WORDS,
    "de": german.WORDS,
    "fr": french.WORDS,
    "es": spanish.WORDS,
    "it": italian.WORDS,
    "pt": portuguese.WORDS,
    "ja": japanese.WORDS,
    "zh": chinese.WORDS,
}
"""Words by the language's code in ISO 639-1."""

NEUTRAL = re.compile(rf"(?:[\d ]|{one_of('|'.join(words.neutral for words in (ABBREVIATIONS, *LANGUAGES.values())))})*")
"""What names nothing else where it stands beside a view: planes, positions, the liver, numbers; in any language."""


def language_rules(codes: Iterable[str]) -> tuple[ViewRule, ...]:
    """Give the rules of several languages at once.

    Parameters
    ----------
    codes : iterable of str

    Returns
    -------
    tuple of ViewRule

    Raises
    ------
    ValueError
        If there are no rules for a code, or no code.
    """
    chosen = list(codes)
    if unknown := [code for code in chosen if code not in LANGUAGES]:
        raise ValueError(f"no view rules for {', '.join(map(repr, unknown))}: choose from {', '.join(LANGUAGES)}")
    if not chosen:
        raise ValueError(f"choose at least one language of view rules from {', '.join(LANGUAGES)}")
    return view_rules([LANGUAGES[code] | ABBREVIATIONS for code in chosen])


DEFAULT_VIEW_RULES = language_rules(["en"])
"""English, as sonographers type it."""
