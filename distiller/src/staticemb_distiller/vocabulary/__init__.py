"""The vocabulary of a model: which tokens it has, and the tokenizer that finds them.

In: the teacher's tokenizer, given or counted words. Out: a `Vocabulary` and its `tokenizer.json`.
May use: `errors`, `corpus`, `recipe`.
"""
