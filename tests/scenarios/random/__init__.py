"""Random scenario files whose expectations come from a model of its own, written from the house rules alone."""
