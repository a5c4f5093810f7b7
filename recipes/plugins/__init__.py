"""Plugins of Axolotl that a recipe may name under ``plugins``: one file a method."""
