"""What sonographers type, by language and view; under None, what names no view."""

from app.core.values import View
from tests.unit.core.naming.typed import (
    chinese,
    english,
    french,
    german,
    italian,
    japanese,
    portuguese,
    spanish,
)

TYPED: dict[str, dict[View | None, list[str]]] = {
    "en": english.TEXTS,
    "de": german.TEXTS,
    "fr": french.TEXTS,
    "es": spanish.TEXTS,
    "it": italian.TEXTS,
    "pt": portuguese.TEXTS,
    "ja": japanese.TEXTS,
    "zh": chinese.TEXTS,
}
