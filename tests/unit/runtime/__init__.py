"""The parts of the runtime that need no broker and no database."""
