"""Read and write rows: lines, CSV, TSV, JSON lines, Parquet and NPY, compressed or not.

In: paths or open files. Out: rows as dictionaries; complete files.
May use: `errors`, `format`. Public.
"""

from .compression import PACKINGS, unpacked
from .forms import MOST_MISSING, SUFFIXES, form_of
from .readers import check_names, csv_rows, json_record, open_input, text_lines

__all__ = [
    "MOST_MISSING",
    "PACKINGS",
    "SUFFIXES",
    "check_names",
    "csv_rows",
    "form_of",
    "json_record",
    "open_input",
    "text_lines",
    "unpacked",
]
