"""Look-ups: a worker tells the state of a device or a user out of its own store, whichever worker is asked."""
