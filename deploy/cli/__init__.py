"""The nestwork command: one module per command group, each with register(app)."""
