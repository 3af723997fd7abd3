"""The law and the plan's rules as pure functions: no I/O, no clock, no randomness, no floats.

Read in this order: `sources` (what money there is) → `limits` (the year's figures) → `participant`, `plan_rules`,
`records` (what a decision reads and writes) → `eligibility` → `deferrals` → `match` → `additions` → `line` (all of it,
in the order of the house rules) → `reversals`. `true_up` and `vesting` decide about the same money later.
"""
