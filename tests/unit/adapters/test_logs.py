import subprocess
import sys

SCRIPT = """
import logging
from app.adapters.telemetry.logs import configure

configure("DEBUG", "text")
logging.getLogger("app.service").debug("ours")
logging.getLogger("highdicom.sr.utils").info("1.2.840.113619.2")
logging.getLogger("highdicom.sr.utils").warning("careful")
"""


def test_libraries_are_held_at_warning_whatever_our_level() -> None:
    """They name UIDs at INFO."""
    said = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True).stderr
    assert "ours" in said
    assert "careful" in said
    assert "1.2.840" not in said
