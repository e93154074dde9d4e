"""Predictions of classifiers and regressors on top of vectors; arrays in and out.

In: a `Head` of the format, and vectors. Out: logits, probabilities, labels, shares of tokens.
May use: all rooms up to `encoding`. Internal.
"""
