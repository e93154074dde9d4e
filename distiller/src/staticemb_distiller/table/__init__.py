"""From rows to the tensors of a file: weights, rotation, shared rows, rounding.

In: token vectors or fitted rows, and a recipe. Out: `Parts`, which the writer takes.
May use: `errors`, `recipe`, `fitting`. Internal.
"""
