"""Format results for the pages: one module for each file of `results/`, with the file's name.

A module has `section(content)`, which returns the Markdown between `<!-- figures: NAME -->` and
`<!-- end -->` in a page of `docs/`. It may have `pictures(content)`, which returns the name and the
SVG of each picture in `docs/benchmarks/`. `content` is the results file that `harness.save` wrote.
"""
