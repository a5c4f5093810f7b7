"""Facts of a product graph as snippets: what the catalogue's columns say of how products are related to each other.

``relations`` reads them, ``queries`` are the Cypher that any engine is given, ``engines`` are ladybug and Neo4j, and ``opening``
builds a graph where there is none and opens it. Three functions stand before an engine: build, opened, facts.
"""
