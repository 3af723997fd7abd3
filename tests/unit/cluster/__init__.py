"""Parts of the embedded cluster that need no running server."""
