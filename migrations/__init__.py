"""Alembic's steps: one reversible change a file. Run them with ``liver-pdff db upgrade``."""
