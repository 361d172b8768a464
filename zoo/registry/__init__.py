"""Plugins: entry points, light specs on demand, classes when they are used; settings, and contract versions."""

from zoo.registry.plugins import GROUPS as GROUPS
from zoo.registry.plugins import HEAVY as HEAVY
from zoo.registry.plugins import RESOURCES as RESOURCES
from zoo.registry.plugins import Entry as Entry
from zoo.registry.plugins import Record as Record
from zoo.registry.plugins import Status as Status
from zoo.registry.plugins import dataset as dataset
from zoo.registry.plugins import entries as entries
from zoo.registry.plugins import expert as expert
from zoo.registry.plugins import full_name as full_name
from zoo.registry.plugins import get as get
from zoo.registry.plugins import kind_of as kind_of
from zoo.registry.plugins import load as load
from zoo.registry.plugins import method as method
from zoo.registry.plugins import metric as metric
from zoo.registry.plugins import packages as packages
from zoo.registry.plugins import recipe_texts as recipe_texts
from zoo.registry.plugins import records as records
from zoo.registry.plugins import refresh as refresh
from zoo.registry.plugins import suite as suite
from zoo.registry.plugins import trainable as trainable
from zoo.registry.plugins import yaml_texts as yaml_texts
