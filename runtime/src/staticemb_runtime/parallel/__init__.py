"""Worker processes that share the texts of one call.

In: slices of texts and a request. Out: blocks of vectors, in order.
May use: `errors`, `format`, `loading`, `encoding`. Internal.
"""
