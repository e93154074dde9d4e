"""Heads: classifiers and regressors on the frozen vectors of a static embedding file.

In: a model, and texts with labels or numbers. Out: the file with a head, and a report.
May use: all rooms up to `training`. Internal.
"""
