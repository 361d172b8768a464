"""The store: a folder of ZIP shards that hold prepared clips, and what it says of itself."""

from zoo.data.store.store import Store as Store
from zoo.data.store.store import read_meta as read_meta
