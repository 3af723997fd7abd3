"""The documents for people, checked against the tree and the programs."""
