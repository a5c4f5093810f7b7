"""The old name of :mod:`recipes.plugins.completion_only`, which recipes and runs made before name; gone with the next release."""

from recipes.plugins.completion_only import load as load
