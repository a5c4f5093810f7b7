"""The old name of :mod:`recipes.plugins.meter`, which runs made before may name; gone with the next release."""

from recipes.plugins.meter import Meter as Meter
from recipes.plugins.meter import MeterArgs as MeterArgs
