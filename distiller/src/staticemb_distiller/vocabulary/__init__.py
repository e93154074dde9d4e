"""The vocabulary of a static model: its tokens, and its tokenizer.

In: the teacher's tokenizer, given or counted words. Out: a `Vocabulary` and its `tokenizer.json`.
May use: `errors`, `path_checks`, `corpus`, `recipe`. Internal.
"""
