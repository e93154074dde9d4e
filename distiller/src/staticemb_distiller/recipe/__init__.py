"""Recipes: knobs with their meaning, limits and defaults, read and written as TOML.

In: TOML, or values. Out: a frozen `Recipe`, whose `resolved` values are what a model is made by.
May use: `errors`, `corpus`.
"""
