"""What a text says of the view: a site's rules, in the languages that it writes."""

from app.core.naming.rules import DEFAULT_VIEW_RULES, Naming, ViewRule, name_view

__all__ = ["DEFAULT_VIEW_RULES", "Naming", "ViewRule", "name_view"]
