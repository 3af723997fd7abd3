"""Payroll files without a broker: cells, rows, maps, lines, what is kept, what is awaited."""
