"""The engine beside what a user would pick instead: the same job on the same machine, checked and killed alike."""
