"""Raw files to shards, one for each entry of a specification: in this process, in several, or on several machines.

The unit of work is a share of an entry's raw rows, a :class:`converters.mixture.convert.units.Unit`. It names what to read and
nothing else, it can be pickled, and it depends on the files and the specification alone: neither on the number of workers nor on
who converts what. So each engine (one process, a pool, ``--shard i/N``, Ray) is the same three steps, and their bytes are equal:

1. ``units_of(job_of(number, entry, seed, folder))`` yields the units of an entry in order: byte ranges of JSON lines, cut at line
   ends; row groups of Parquet, or ranges of rows of a large one; several small files together. What cannot be cut (a JSON list, a
   delimited table, whose quoted fields hold line breaks) is a unit by itself, file by file. A compressed file has no place to
   begin in its middle: whoever lists the units inflates it once and leaves each block as a file for its unit; without that file,
   a unit inflates up to its block.
2. ``convert_unit(job, unit)`` writes a part: a folder with encoded rows, key columns, places, rejects and counts. A part is there
   as a whole or not at all, so whatever dies, all that is lost is the units in progress; a part that is there is not made again.
3. ``merge(job, parts)`` joins counts and columns of the parts to the entry's shard; its rows stay in the parts' files.

Sources that bring rows together by a key (``gathering`` of a source module) take two rounds, as a shuffle does. The units of the
first deal their rows to buckets by the hash of the key, in a file of each unit's own. Those of the second, of
``bucket_units(job, dealt)``, are ranges of buckets; each reads its buckets from the files of all units, in order. Outcomes that
the first round passes through come first, then the groups in the order of their hashes: the order that one process gives, too.

A source whose rows hang together in other ways has neither ``RAW`` nor ``gathering`` and is one unit: ``catalog`` (looks through
all files first, and its rows follow each other), ``esci`` (joins tables), ``ecinstruct`` (grades follow rankings), ``mix`` (each
file is checked against its hash), the taxonomies (small).
"""

from converters.mixture.convert.local import convert, convert_all, processes
from converters.mixture.convert.merging import merge
from converters.mixture.convert.rendering import cutter
from converters.mixture.convert.units import Job, Unit, bucket_units, convert_unit, forget, job_of, units_of

__all__ = [
    "Job",
    "Unit",
    "bucket_units",
    "convert",
    "convert_all",
    "convert_unit",
    "cutter",
    "forget",
    "job_of",
    "merge",
    "processes",
    "units_of",
]
