"""Where a record comes in: raw values become installs and events, or are refused with a reason (contract §3)."""
