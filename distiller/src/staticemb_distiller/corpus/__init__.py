"""Text: sources, readers, passages, samples, generated sequences, and digests of input files.

In: the names of files, folders and data sets. Out: texts; the same input gives the same order.
May use: `errors`, `path_checks`. Internal.
"""
