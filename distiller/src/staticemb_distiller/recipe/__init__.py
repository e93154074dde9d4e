"""Recipes: knobs with their meaning, limits and defaults, read and written as TOML.

In: TOML, or values. Out: a frozen `Recipe`; `resolved` sets the defaults that depend on others.
May use: `errors`, `corpus`. Internal.
"""
