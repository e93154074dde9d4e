"""What `run.py` is made of: cases, the adapter as a process, verdicts, reports."""
