"""Methods that say or do what is not so, written on the contract alone, and three that are honest."""
