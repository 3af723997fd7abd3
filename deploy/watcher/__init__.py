"""A small outside watcher: it reports lag also when the worker that should is dead."""
