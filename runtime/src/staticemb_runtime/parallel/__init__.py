"""Worker processes that share the texts of a call.

In: slices of texts and a request. Out: blocks of vectors, in order.
May use: `errors`, `format`, `loading`, `encoding`. Internal.
"""
