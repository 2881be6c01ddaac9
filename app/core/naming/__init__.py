"""What a text says of the view: a site's rules, in the languages that it writes."""

from app.core.naming.languages import DEFAULT_VIEW_RULES, LANGUAGES, language_rules
from app.core.naming.namings import Naming, compile_rules, name_view
from app.core.naming.rules import ViewRule

__all__ = ["DEFAULT_VIEW_RULES", "LANGUAGES", "Naming", "ViewRule", "compile_rules", "language_rules", "name_view"]
