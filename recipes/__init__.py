"""Axolotl recipes (YAML) and the runner that checks, trains and merges them."""
