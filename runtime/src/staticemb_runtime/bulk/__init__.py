"""Embed more texts than one call or one machine: Arrow batches, files by the thousand, engines.

In: Arrow batches, tables of Ray and Spark, or files. Out: the same with a column of vectors.
May use: all rooms up to `records`. Public. pyarrow, ray and pyspark are imported where they are
used.
"""

from .arrow import BatchEmbedder, embed_batches

__all__ = ["BatchEmbedder", "embed_batches"]
