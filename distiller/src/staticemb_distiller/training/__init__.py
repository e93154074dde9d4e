"""Training a table on examples: pairs, triplets, scored pairs and labeled texts.

In: a model or a teacher, and files of examples. Out: a static embedding file, its log and curve.
May use: all rooms up to `evaluation`. Internal.
"""
