"""The old name of :mod:`recipes.plugins.run`, which runs made before name; gone with the next release."""

from recipes.plugins.run import RunPlugin as RunPlugin
