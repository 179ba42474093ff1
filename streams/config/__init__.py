"""Configuration: from YAML files to the config topic, and from there to every process (contract §6).

The way in: `documents` reads YAML into nodes that know their places, `models` is the table of keys, `load` puts both
together, `check` looks across the whole; every mistake becomes a `problems.Problem` and all are reported at once. The
way through Kafka: `topic` is the (pure) form of a generation as records, `apply` writes one, `follow` reads them in
every process, `control` does the same for pauses and holds. The way back: `export`, and `diff` for what a change
would do.
"""
