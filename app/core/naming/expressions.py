"""Regular expressions of rules: compiled once, and refused where they cannot mean what was meant."""

import re
from collections.abc import Iterable
from functools import lru_cache
from re import _parser
from typing import Any

from app.core.naming.texts import fold, fold_pattern

_Items = Iterable[tuple[Any, Any]]
_State = frozenset[str]
"""What may stand before the place that a match has reached: the text's beginning, a space, a letter or digit; or
that the text has ended there."""

_BEGINNING, _SPACE, _WORD, _END = "beginning", "space", "word", "end"
_NOWHERE: _State = frozenset()
_ANYWHERE: _State = frozenset({_BEGINNING, _SPACE, _WORD})
_SETTLED = 4  # repetitions after which the states cannot grow: there are four
_SAMPLE = " 0123456789abcdefghijklmnopqrstuvwxyzж肝あアक한"  # tries an excluding class
_CATEGORIES = {"WORD": str.isalnum, "DIGIT": str.isdecimal, "SPACE": str.isspace}


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a rule's pattern, so that case and accents in it do not matter.

    Raises
    ------
    re.error
        If it is not a regular expression.
    """
    return re.compile(fold_pattern(pattern), re.IGNORECASE)


def fault(pattern: str) -> str | None:
    """Say what is wrong with a rule's pattern; None if nothing is.

    Whatever cannot be decided counts as right.

    Parameters
    ----------
    pattern : str

    Returns
    -------
    str or None
        The rest of a sentence that begins with the rule.
    """
    try:
        found = compiled(pattern).search
    except (re.error, OverflowError, RecursionError) as error:
        return f"is not a regular expression: {error}"
    tree = _parser.parse(fold_pattern(pattern), re.IGNORECASE)
    if not _after(tree, _ANYWHERE):
        return (
            "can never match: in the text that is compared, every run of characters other than letters and digits is "
            "one space, and there is none at the beginning or the end"
        )
    if _runs_away(tree):
        return "repeats a repetition without limit, so that one text could keep it busy for hours"
    if found("") or (found("0") and found("z")):
        return "matches any text"
    return None


def _after(items: _Items, before: _State) -> _State:
    """Give where the parts of an expression, one after the other, can lead; nowhere if they never match."""
    for operation, argument in items:
        before = _step(str(operation), argument, before)
    return before


def _step(operation: str, argument: Any, before: _State) -> _State:  # noqa: C901  # a case an operation
    match operation:
        case "LITERAL":
            return _read(_kinds(chr(argument)), before)
        case "IN":
            return _read(_kinds_of_class(argument), before)
        case "ANY" | "NOT_LITERAL":
            return _read({_SPACE, _WORD}, before)
        case "AT":
            return _at(str(argument), before)
        case "BRANCH":
            return _NOWHERE.union(*(_after(branch, before) for branch in argument[1]))
        case "SUBPATTERN":
            return _after(argument[-1], before)
        case "ATOMIC_GROUP":
            return _after(argument, before)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return _repeated(argument, before)
        case "ASSERT":
            direction, body = argument
            return before if _after(body, before if direction > 0 else _ANYWHERE) else _NOWHERE
        case "FAILURE":
            return _NOWHERE
        case "ASSERT_NOT":
            return before if list(argument[1]) else _NOWHERE
        case _:  # what a group matched before, or a choice by it
            return before | {_SPACE, _WORD} if before else _NOWHERE


def _read(kinds: set[str], before: _State) -> _State:
    after = set()
    if _WORD in kinds and before & _ANYWHERE:
        after.add(_WORD)
    if _SPACE in kinds and _WORD in before:
        after.add(_SPACE)
    return frozenset(after)


def _at(anchor: str, before: _State) -> _State:
    if anchor.startswith("AT_BEGINNING"):
        return before & {_BEGINNING}
    if anchor.startswith("AT_END"):
        return frozenset({_END}) if before - {_SPACE} else _NOWHERE
    return before


def _repeated(repetition: tuple[int, int, _Items], before: _State) -> _State:
    least, most, body = repetition
    for _ in range(min(least, _SETTLED)):
        before = _after(body, before)
    reached = before
    for _ in range(min(int(most) - least, _SETTLED)):
        before = _after(body, before)
        reached |= before
    return reached


def _kinds(char: str) -> set[str]:
    """Tell what a literal is in a compared text: a space, a letter or digit, or neither, as it does not occur there."""
    if char == " ":
        return {_SPACE}
    return {_WORD} if char.isalnum() and fold(char) == char.lower() else set()


def _kinds_of_class(items: _Items) -> set[str]:
    listed = [(str(operation), argument) for operation, argument in items]
    excluding = listed[0][0] == "NEGATE"
    ends = {chr(end) for operation, argument in listed for end in _ends(operation, argument)}
    occurring = (char for char in {*_SAMPLE, *ends} if any(_holds(*item, char) for item in listed) is not excluding)
    return set().union(*map(_kinds, occurring))


def _ends(operation: str, argument: Any) -> tuple[int, ...]:
    if operation == "RANGE":
        return tuple(argument)
    return (argument,) if operation == "LITERAL" else ()


def _holds(operation: str, argument: Any, char: str) -> bool:
    codes = {ord(char), ord(char.swapcase())} if len(char.swapcase()) == 1 else {ord(char)}
    match operation:
        case "LITERAL":
            return argument in codes
        case "RANGE":
            return any(argument[0] <= code <= argument[1] for code in codes)
        case "CATEGORY":
            _, *negated, category = str(argument).split("_")
            return _CATEGORIES[category](char) is not bool(negated)
        case _:
            return False


def _runs_away(items: _Items) -> bool:
    """Tell whether something without limit is repeated without limit, with nothing between that must be there."""
    return any(
        (_is_unlimited(operation, argument) and _is_one_repetition(argument[2]))
        or any(map(_runs_away, _inside(argument)))
        for operation, argument in items
    )


def _is_unlimited(operation: Any, argument: Any) -> bool:
    return str(operation) in {"MAX_REPEAT", "MIN_REPEAT"} and argument[1] is _parser.MAXREPEAT


def _is_one_repetition(items: Any) -> bool:
    items = list(items)
    if len(items) == 1 and str(items[0][0]) == "SUBPATTERN":
        return _is_one_repetition(items[0][1][-1])
    unlimited = [item for item in items if _is_unlimited(*item)]
    return bool(unlimited) and all(item in unlimited or _may_be_empty(item) for item in items)


def _may_be_empty(item: tuple[Any, Any]) -> bool:
    return str(item[0]) in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"} and item[1][0] == 0


def _inside(argument: Any) -> Iterable[_Items]:
    """Give the expressions that a part of an expression holds."""
    if isinstance(argument, _parser.SubPattern):
        return [argument]
    if isinstance(argument, list | tuple):
        return [each for part in argument for each in _inside(part)]
    return []
