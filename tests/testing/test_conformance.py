"""Everything that comes with the zoo keeps the contract that others are held to."""

from zoo.testing.tests import *  # noqa: F403

zoo_dist = "talking-face-zoo"
