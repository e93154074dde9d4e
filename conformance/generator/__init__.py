"""What `generate.py` makes the conformance vectors with; no implementation needs it."""
