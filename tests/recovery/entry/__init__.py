"""One module per service, because a cluster starts its workers by module name."""
