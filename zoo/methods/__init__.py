"""What methods are written on, beside the contract (:mod:`zoo.method`)."""
