"""Text: sources, readers, passages, samples, generated sequences, and digests of what was read.

In: the names of files, folders and data sets. Out: texts, in an order that depends on nothing else.
May use: `errors`, `output_file`, `progress`.
"""
