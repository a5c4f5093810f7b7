"""Checks a recipe, runs it through Axolotl and records what was run."""
