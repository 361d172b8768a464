"""The ``zoo`` command: one small file per verb, nothing heavy imported until its verb runs."""
