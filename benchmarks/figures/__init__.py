"""How results are shown: one module for each file of `results/`, of the same name.

A module has `section(content)`, which gives the Markdown that stands between
`<!-- figures: NAME -->` and `<!-- end -->` in the README or in `benchmarks/*.md`. It may have
`pictures(content)`, which gives the SVG of each file that is written to `results/`. `content` is
the results file as `harness.save` wrote it.
"""
