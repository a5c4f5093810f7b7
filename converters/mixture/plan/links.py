"""Products that sources know by different names: groups that share a title, their alias, are one product.

So a product that one source knows by its ASIN and another by its title alone is in one split.
"""

import numpy as np
from numpy.typing import NDArray

from converters.io.jsonl import writing
from converters.mixture.plan.table import Column, Numbers, Partition, Table, found_in, partitions

Pairs = NDArray[np.uint64]  # 2 x pairs: names of products, and titles


def linked(rows: Table) -> tuple[Column, Column]:
    """Return what reads a number for each row's group, and for the product that it is about.

    The latter is another one where groups are queries. All names of a product have the number of the first.
    """
    names, first = _named(rows)
    columns = ("group", "product")
    group, product = (_resolved(rows, name, names, first) if len(names) else rows.column(name) for name in columns)
    return group, product


def _resolved(rows: Table, name: str, names: Numbers, first: Numbers) -> Column:
    """Return a column with the first of a product's names in place of each; it is worked out once and lies in a file."""
    path = rows.folder / f"{name}.linked"
    with writing(path), path.open("wb") as file:
        for here in rows.blocks():
            values = rows.read(name, here)
            places, there = found_in(names, values)
            values[there] = first[places[there]]
            file.write(values.tobytes())
    return lambda here: np.fromfile(path, np.uint64, here.stop - here.start, offset=here.start * 8)


def _named(rows: Table) -> tuple[Numbers, Numbers]:
    """Return all names of products that have several, in order, and for each the first name of its product.

    A title that is no group's name does not stand for its product.
    """
    product, title = np.concatenate([_pairs(rows, partition) for partition in partitions(rows)], 1)
    nodes, codes = np.unique(np.concatenate([product, title]), return_inverse=True)
    one, other = np.split(codes, 2)
    root = _components(one, other, len(nodes))
    first, names = np.full(len(nodes), np.iinfo(np.uint64).max), np.unique(one)
    np.minimum.at(first, root[names], nodes[names])
    return nodes, first[root]


def _pairs(rows: Table, partition: Partition) -> Pairs:
    """Return products with those of a partition's titles that link them to others, each pair once.

    Most titles are of one product and link nothing. A title that is a group's or product's name is a product, its own.
    """
    named, pairs = [np.empty(0, np.uint64)], [np.empty((2, 0), np.uint64)]
    for here in rows.blocks():
        group, product, title = (rows.read(name, here) for name in ("group", "product", "alias"))
        named += [group[partition.has(group)], product[partition.has(product) & (product != group)]]
        pairs.append(np.stack([product, title])[:, partition.has(title) & (product != title)])
    names, (product, title) = np.sort(np.concatenate(named)), np.concatenate(pairs, 1)
    order = np.argsort(title)
    product, title = product[order], title[order]  # those in order are found in a fifth of the time
    several = (title[1:] == title[:-1]) & (product[1:] != product[:-1])
    is_name = found_in(names, title)[1]
    links = found_in(title[1:][several], title)[1] | is_name
    product = np.concatenate([product[links], title[is_name]])
    title = np.concatenate([title[links], title[is_name]])
    order = np.lexsort((product, title))
    product, title = product[order], title[order]
    new = np.ones(len(title), bool)
    new[1:] = (title[1:] != title[:-1]) | (product[1:] != product[:-1])
    return np.stack([product, title])[:, new]


def _components(one: NDArray[np.intp], other: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Return for each of ``size`` nodes the least one that edges, from each of ``one`` to each of ``other``, lead to.

    >>> _components(np.array([0, 3, 1]), np.array([3, 4, 2]), 6).tolist()
    [0, 1, 1, 0, 0, 5]
    """
    root = np.arange(size)
    while True:
        before, least = root.copy(), np.minimum(root[one], root[other])
        for ends in (one, other):
            np.minimum.at(root, before[ends], least)
        while ((further := root[root]) != root).any():
            root = further
        if (root == before).all():
            return root
