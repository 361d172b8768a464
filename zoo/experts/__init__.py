"""Networks that judge: the sync expert and the lip reader, fitted by the same ``zoo fit`` as methods."""
