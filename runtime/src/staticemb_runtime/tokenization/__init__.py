"""Text to token ids, exactly those of the `tokenizers` library.

In: the bytes of a `tokenizer.json`, and strings. Out: arrays of ids, and how many each text has.
May use: `errors`, `format`. Internal.
"""
