"""The platforms whose exports are recognised, one module each; adding one touches nothing else.

A preset has

* ``TITLE``: what the file is, as in "a Shopify product export",
* ``recognise(head) -> Evidence | None``: how many of the typical columns a file has; ``None`` for one that it cannot be,
* ``options(head) -> Mapping``: the options of the catalogue source for this file, as the user could have written them,
* ``COMPANIONS``, if it reads further files that may lie beside the export: their names,
* ``remarks(head, options) -> Sequence[str]``, if a user should know of a choice that the preset made: a sentence each,
* ``is_header(cells) -> bool``, if the column names may stand below other lines: whether a line has them,
* ``rows(paths, columns) -> Iterator[(where, cells | Outcome)]``, if the file is no plain table of one row a product: it may skip
  lines, read another format, and bring cells into the form that :mod:`converters.sources.catalog.products` explains.
"""
