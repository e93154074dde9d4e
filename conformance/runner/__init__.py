"""The modules of `run.py`: cases, the adapter's process, verdicts and reports."""
