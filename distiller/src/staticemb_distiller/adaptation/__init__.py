"""Adaptation: the table is solved for once more, with a collection's whole documents.

In: a model, documents, their vectors or a teacher. Out: a file, and a report of how well it agrees.
May use: all rooms up to `evaluation`. Internal.
"""
