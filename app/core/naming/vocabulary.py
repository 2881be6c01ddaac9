"""One grammar for all languages: the words of a language become its rules.

A word list is a string with bars: ``right|rt|r``. Case and accents do not matter, a blank is optional (a screen reader
drops blanks), a ``*`` at the end stands for any further letters, and a single Latin letter counts only as a word of
its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import reduce
from operator import or_

from app.core.naming.rules import ViewRule
from app.core.naming.texts import normalise
from app.core.values import View

_START, _END = "(?:(?<![a-z])|(?![a-z]))", "(?:(?![a-z])|(?<![a-z]))"
"""Where a word in Latin letters begins and ends; digits and other scripts may touch it: RPV2, 右PV後枝."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The words of one language, as word lists.

    Attributes
    ----------
    right, left, middle, posterior, anterior : str
    right_posterior : str
        Words that say both: 後区域 is always right.
    lobe : str
    positions : str
        How a participant lies: `left` there is not the liver's side.
    portal, right_portal, right_posterior_portal : str
        The portal vein; abbreviations of its branches.
    branch : str
        Words that may stand within the name of a branch: branch, of, the.
    hepatic_veins, one_hepatic_vein : str
    confluence : str
        Where the hepatic veins end.
    liver, kidney, right_kidney : str
    liver_kidney : str
        Names of the two side by side: Morison's pouch.
    liver_kidney_if_alone : str
        Abbreviations that name the view only as the whole text.
    conjunction : str
        "And".
    planes : str
        Directions and numbering, which may stand beside any name.
    organs : str
        Beside a kidney, they tell that a text lists organs.
    examination : str
        Beside a kidney, they tell that a text describes an examination.
    against : str
        Negation, doubt, other vessels: a text with one decides nothing.
    against_unless_numbered : str
        "No", which before a digit is a number.
    """

    right: str = ""
    left: str = ""
    middle: str = ""
    posterior: str = ""
    anterior: str = ""
    right_posterior: str = ""
    lobe: str = ""
    positions: str = ""
    portal: str = ""
    right_portal: str = ""
    right_posterior_portal: str = ""
    branch: str = ""
    hepatic_veins: str = ""
    one_hepatic_vein: str = ""
    confluence: str = ""
    liver: str = ""
    kidney: str = ""
    right_kidney: str = ""
    liver_kidney: str = ""
    liver_kidney_if_alone: str = ""
    conjunction: str = ""
    planes: str = ""
    organs: str = ""
    examination: str = ""
    against: str = ""
    against_unless_numbered: str = ""

    def __or__(self, other: "Vocabulary") -> "Vocabulary":
        """Join two vocabularies."""
        names = [field.name for field in fields(self)]
        return Vocabulary(**{name: _join(getattr(self, name), getattr(other, name)) for name in names})

    @property
    def neutral(self) -> str:
        """Words beside a name that name nothing else."""
        return _join(self.planes, self.right, self.liver, self.lobe, self.branch, self.conjunction, self.positions)


_EVERYWHERE = ("posterior", "right_posterior", "anterior", "lobe", "positions", "planes")
"""What limits a name holds in all chosen languages: a French `postérieure` beside an English `RPV`."""


def view_rules(languages: Sequence[Vocabulary]) -> tuple[ViewRule, ...]:
    """Write the rules of the chosen languages.

    Each language names a view by its own words. What speaks against a name is shared by all.

    Parameters
    ----------
    languages : sequence of Vocabulary

    Returns
    -------
    tuple of ViewRule
    """
    together = reduce(or_, languages)
    limits = {name: getattr(together, name) for name in _EVERYWHERE}
    names = (rule for words in languages for rule in _names(replace(words, **limits)))
    return tuple(dict.fromkeys((*_vetoes(together), *names)))


def one_of(listed: str) -> str:
    """Turn a word list into an expression for one of its words, the longest that fits.

    Parameters
    ----------
    listed : str

    Returns
    -------
    str
        An expression that does not go back on its choice, so that no text can make it try all divisions into words.
    """
    entries = sorted(filter(None, {*listed.split("|")}), key=lambda entry: (-len(entry), entry))
    return f"(?>{'|'.join(map(_one, entries))})" if entries else "(?!)"


def _one(entry: str) -> str:
    words = normalise(entry).split(" ")
    start, end = (edge if _is_letter(word) else "" for word, edge in ((words[0], _START), (words[-1], _END)))
    return f"{start}{' ?'.join(words)}{end}" + ("[a-z]*" if entry.endswith("*") else "")


def _is_letter(word: str) -> bool:
    return len(word) == 1 and word.isascii()


def _join(*listed: str) -> str:
    return "|".join(filter(None, listed))


def _phrase(needed: Iterable[str], listed: str) -> str:
    """Write an expression for listed words side by side, in any order, among which all needed expressions match."""
    any_word = one_of(listed)
    each = (f"(?=(?:{any_word} ?)*?{word}(?: ?{any_word})*{_END})" for word in needed)
    return f"{_START}{''.join(each)}{any_word}(?: ?{any_word})*{_END}"


def _mention(words: Vocabulary, listed: str) -> str:
    """Write an expression for the beginning of a word, also where other words stand before it without a blank."""
    return f"{_START}(?:{one_of(_join(words.right, words.liver, words.posterior, words.branch))})*{one_of(listed)}"


def _names(words: Vocabulary) -> tuple[ViewRule, ...]:
    return (*_hepatic_vein_names(words), *_portal_vein_names(words), *_liver_kidney_names(words))


def _hepatic_vein_names(words: Vocabulary) -> tuple[ViewRule, ...]:
    """Ask for the veins together: one of three is not the view, but two meet at their confluence, which is."""
    veins, side = one_of(words.hepatic_veins), one_of(_join(words.right, words.middle, words.left))
    where = one_of(_join(words.conjunction, words.confluence))
    behind = f"(?!{one_of(words.positions)}){side}(?! ?{one_of(_join(words.lobe, words.liver))})"
    one = f"(?:{one_of(words.one_hepatic_vein)}|{side} ?{veins}|{veins} ?{behind})"
    between = f"(?: ?{where})* ?"
    several = f"{one}(?:{between}{one})+|{side}(?:{between}{side})+ ?{veins}|{veins} {side}(?:{between}{side})+"
    two = f"{_START}(?:{where} ?)*(?:{several})(?: ?{where})*{_END}"
    listed = _join(words.hepatic_veins, words.confluence, words.conjunction, words.branch)
    return (
        ViewRule(View.HEPATIC_VEINS, _phrase([veins], listed)),
        ViewRule(View.HEPATIC_VEINS, two),
        ViewRule(None, f"^(?!.*{two}).*{_START}{one}{_END}"),
    )


def _portal_vein_names(words: Vocabulary) -> tuple[ViewRule, ...]:
    """Ask for the vessel's own side: `RT LOBE PV` does not say which branch, `RT PV POST VALSALVA` says when."""
    portal, posterior = one_of(_portal(words)), _posterior(words)
    listed = _join(_portal(words), words.right, posterior, words.branch)
    next_word = one_of(_join(listed, words.planes))
    known = f"(?! (?!{next_word}(?: ?{next_word})*{_END})[a-z])"
    elsewhere = f"(?! ?{one_of(_join(words.lobe, words.liver, words.kidney, words.right_kidney))})"
    right = f"{one_of(words.right)}{elsewhere}{known}"
    either = one_of(_join(words.right_posterior, words.right_posterior_portal))
    is_right = f"(?:{right}|{one_of(words.right_portal)}|{either})"
    is_posterior = f"(?:{one_of(words.posterior)}{known}|{either})"
    right_portal = _phrase(
        [f"(?:{right}|{one_of(words.right_portal)})", portal],
        _join(words.portal, words.right_portal, words.right, words.branch),
    )
    return (
        ViewRule(View.RIGHT_POSTERIOR_PORTAL_VEIN, _phrase([is_right, is_posterior, portal], listed)),
        ViewRule(View.RIGHT_PORTAL_VEIN, f"^(?!.*{_START}{one_of(posterior)}).*?(?P<view>{right_portal})"),
    )


def _portal(words: Vocabulary) -> str:
    return _join(words.portal, words.right_portal, words.right_posterior_portal)


def _posterior(words: Vocabulary) -> str:
    return _join(words.posterior, words.right_posterior, words.right_posterior_portal)


def _liver_kidney_names(words: Vocabulary) -> tuple[ViewRule, ...]:
    liver, kidney = one_of(words.liver), one_of(_join(words.kidney, words.right_kidney))
    beside = _join(words.right, words.lobe, words.planes, words.branch, words.conjunction)
    listed = _join(words.liver, words.kidney, words.right_kidney, beside)
    name, whole_text = one_of(words.liver_kidney), one_of(words.liver_kidney_if_alone)
    return (
        ViewRule(View.LIVER_KIDNEY, rf"{_START}{name}{_END}|^{whole_text}[ \d]*$"),
        ViewRule(View.LIVER_KIDNEY, _phrase([liver, kidney], listed)),
    )


def _vetoes(words: Vocabulary) -> tuple[ViewRule, ...]:
    portal, kidney = _portal(words), _join(words.kidney, words.right_kidney)
    some_portal, some_posterior = _mention(words, portal), f"{_START}{one_of(_posterior(words))}"
    some_kidney = _mention(words, _join(kidney, words.liver_kidney, words.liver_kidney_if_alone))
    some_veins = f"{_START}{one_of(_join(words.hepatic_veins, words.one_hepatic_vein))}{_END}"
    list_of_organs = "(?:{0} ?{1} ?{2}|{2} ?{1} ?{0})".format(
        one_of(words.liver), one_of(words.conjunction), one_of(words.kidney)
    )
    expressions = (
        rf"{_START}(?:{one_of(words.against)}{_END}|{one_of(words.against_unless_numbered)}{_END}(?! ?\d))",
        _beside(words.anterior, portal, words),
        _beside(words.left, _join(portal, words.kidney), words),
        # two of what the views show, also where the side of a portal vein is left open
        f"^(?=.*{some_portal}.*{some_portal})(?!.*{some_posterior}.*{some_posterior}).*{some_posterior}",
        f"^(?=.*{some_veins}).*(?:{some_portal}|{some_kidney})",
        f"^(?=.*{some_portal}).*{some_kidney}",
        # an examination of organs
        f"^(?=.*{_START}{one_of(_join(words.examination, words.organs))}{_END}).*{_mention(words, kidney)}",
        f"^(?!.*{_START}{one_of(words.right)}(?:{_END}| ?{one_of(kidney)})).*{_START}{list_of_organs}{_END}",
    )
    return tuple(ViewRule(None, expression) for expression in expressions)


def _beside(listed: str, names: str, words: Vocabulary) -> str:
    """Write an expression for a text with a word that takes a name away: left, anterior.

    A single letter does so only next to the name.
    """
    long = "|".join(word for word in listed.split("|") if len(word) > 1 or not word.isascii())
    skipped = f"(?>{_START}{one_of(words.positions)}{_END}|.)*?{_START}"
    next_to = (
        f"(?:{one_of(listed)} ?(?:{one_of(words.right)} ?)?{one_of(names)}|{one_of(names)} ?{one_of(listed)}){_END}"
    )
    return f"^(?:{skipped}{next_to}|(?=.*{_mention(words, names)}){skipped}{one_of(long)}{_END})"
