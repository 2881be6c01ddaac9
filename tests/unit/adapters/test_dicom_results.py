import subprocess
import sys

SCRIPT = """
from app.adapters import dicom_results
dicom_results.load()
from highdicom import _standard_utils as tables
read = (tables.get_sop_class_iod_map, tables.get_iod_module_map, tables.get_module_attribute_map)
assert all(each.cache_info().currsize for each in read)
"""


def test_the_first_report_does_not_have_to_read_tables() -> None:
    """Reading them blocks every other thread for half a second."""
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
