"""Ringback: installs and events in Kafka become postbacks at partners.

A record's way, room by room: `sources` reads it, `engine` checkpoints it, `attribution` says who brought the device and
which events that makes, `postbacks` decides which requests are due, `delivery` sends them. `config` tells all of them
what is wanted, `cli` and `console` are the faces. `settings`, `kafka`, `metrics`, `clock`, `probes`, `logs` and
`errors` are shared by every process.
"""

__version__ = "0.1.0"
