"""How Sphinx makes the pages of this folder into a site: `make docs`."""

project = "liver-pdff"
author = "the liver-pdff authors"
extensions = ["myst_parser"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "liver-pdff"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"announcement": "Not a medical device. For research; not for diagnosis."}
highlight_language = "none"
nitpicky = True
