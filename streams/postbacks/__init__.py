"""Which postbacks are due for a derived event, and what each one says: pure, over the live configuration."""
