"""Format results for the pages: one module for each file of `results/`, with the file's name.

A module has `section(content)`, which gives the Markdown that stands between
`<!-- figures: NAME -->` and `<!-- end -->` in a page of `docs/`. It may have `further(content)`,
which gives more of them by name, and `pictures(content)`, which gives the SVG of each file that is
written to `docs/benchmarks/`. `content` is the results file as `harness.save` wrote it.
"""
