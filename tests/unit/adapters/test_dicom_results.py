import subprocess
import sys

SCRIPT = """
from app.adapters import dicom_results
dicom_results.load()
from highdicom import _standard_utils as tables
read = (tables.get_sop_class_iod_map, tables.get_iod_module_map, tables.get_module_attribute_map)
assert all(each.cache_info().currsize for each in read)
"""


def test_the_first_report_reads_no_tables_while_others_wait() -> None:
    """Reading them takes half a second in which no other thread moves."""
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
