"""Text to token ids, equal to the ids of the `tokenizers` library.

In: the bytes of a `tokenizer.json`, and strings. Out: arrays of ids, and each text's number of ids.
May use: `errors`, `format`. Internal.
"""
