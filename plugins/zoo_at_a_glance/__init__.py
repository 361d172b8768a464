"""At a Glance: 16 mouths at once from one still and 0.64 s of sound (Chen et al., ECCV 2018)."""
