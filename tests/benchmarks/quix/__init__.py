"""Quix Streams as a contestant. It needs another confluent-kafka than Ringback, so it has an environment of its own."""
