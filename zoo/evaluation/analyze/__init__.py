"""Studies of data: what a store's clips have in common, before anything is trained on them."""
