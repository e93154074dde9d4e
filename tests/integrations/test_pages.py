"""The blocks of pages that need the packages of others run as they are printed.

They are marked `<!-- run in: make test-integrations -->`. All other blocks of such a page run too.
"""

import os

import pytest

from end_to_end.page_runner import ROOT, run_page
from end_to_end.readme_blocks import COMMANDS, blocks

pytest.importorskip("haystack")

FOUND = {
    path.relative_to(ROOT).as_posix(): blocks(path.read_text("utf-8"))
    for path in sorted(ROOT.glob("docs/**/*.md"))
}
RUN = {
    page: [b for b in found if b.language in COMMANDS and not b.not_run]
    for page, found in FOUND.items()
    if any(b.in_integrations for b in found)
}


def test_pages_on_frameworks_and_databases_are_among_them():
    assert {"docs/how-to/frameworks.md", "docs/how-to/databases.md"} <= set(RUN)


@pytest.mark.parametrize("page", RUN)
def test_blocks_run_as_printed(page, tmp_path):
    env = os.environ | {
        "ANONYMIZED_TELEMETRY": "False",
        "HAYSTACK_TELEMETRY_ENABLED": "False",
        "OMP_NUM_THREADS": "1",
    }
    run_page(page, RUN[page], tmp_path, env)
