"""Texts in one form: as they are compared, in every script."""

import re
import unicodedata
from itertools import groupby

_KANA_VOICING = "\u3099\u309a"  # part of a kana, not an accent: か and が are two letters
_SEPARATORS = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """Give a text as rules see it: folded, and every run of other characters than letters and digits one space.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Never begins or ends with a space.
    """
    return _SEPARATORS.sub(" ", fold(text)).strip()


def fold(text: str) -> str:
    """Fold case, width and accents: `Müller`, `MULLER` and the same in full-width letters become one.

    Compatibility forms are resolved (Unicode's NFKC), case is folded, and combining marks and invisible characters are
    dropped. A Turkish i without a dot counts as i, since its capital is I.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    lower = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(char for char in unicodedata.normalize("NFKD", lower) if not _is_dropped(char))
    return unicodedata.normalize("NFKC", kept).replace("\u0131", "i")


def fold_pattern(pattern: str) -> str:
    r"""Fold the letters of a regular expression that are not ASCII; its syntax stays as it is.

    ASCII letters are left to `re.IGNORECASE`: folded, ``\B`` would become ``\b``.

    Parameters
    ----------
    pattern : str

    Returns
    -------
    str
    """
    parts = groupby(unicodedata.normalize("NFC", pattern), key=_is_folded)
    return "".join(normalise("".join(part)) if folded else "".join(part) for folded, part in parts)


def _is_folded(char: str) -> bool:
    return not char.isascii() and (char.isalnum() or char in _KANA_VOICING or _is_dropped(char))


def _is_dropped(char: str) -> bool:
    category = unicodedata.category(char)
    return (category.startswith("M") and char not in _KANA_VOICING) or category == "Cf"
