"""The records that cross a topic, as typed structures that msgspec decodes at C speed.

Every time in this package is an integer: milliseconds since 1970-01-01T00:00:00Z. Every duration is an integer of
milliseconds. A record on the wire (an install, an event) carries its times as the user wrote them;
`streams.attribution.identity` makes them integers.
"""
