"""What is loaded for good is not looked through again, in a process of its own: freezing cannot be taken back here."""

import subprocess
import sys

PROGRAM = """
import gc
from app.adapters.machine.memory import loading_for_good

before = gc.get_freeze_count()
with loading_for_good():
    assert not gc.isenabled()
    kept = [[] for _ in range(5000)]
assert gc.isenabled()
assert gc.get_freeze_count() - before > 5000
cycle = []
cycle.append(cycle)
del cycle
assert gc.collect() > 0, "what comes later is collected as ever"
"""


def test_what_was_loaded_is_left_out_of_later_collections() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
