"""How fast, at what cost, and still proven: measured runs on a cluster of their own."""
