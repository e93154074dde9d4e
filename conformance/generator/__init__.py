"""The modules of `generate.py`, which generates the vectors; implementations do not need them."""
