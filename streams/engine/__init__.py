"""The shell of the worker: batches, the checkpoint, the state store, recovery. Faust lives here."""
