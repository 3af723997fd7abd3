"""What the processes people and payroll systems come in by have in common: the intake of payroll files, the console."""
