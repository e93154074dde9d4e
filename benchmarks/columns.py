"""The columns of the quality tables and the tasks that they show."""

from __future__ import annotations

from collections.abc import Mapping

TASKS: Mapping[str, str] = {
    "STS-B": "sts/stsb-en-test",
    "SICK": "sts/sick-test",
    "words": "wordsim/*",
    "NFCorpus": "retrieval/nfcorpus",
    "Cranfield": "retrieval/cranfield",
    "Banking77": "classification/banking77",
    "SST-2": "classification/sst2",
}
"""Columns and patterns of their tasks, for `fnmatch`; a column of several tasks shows the mean."""
