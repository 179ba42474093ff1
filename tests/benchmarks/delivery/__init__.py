"""The sender, side by side with what else could send, and with itself in trouble: `make bench-delivery`.

Everything runs on loopback addresses: a broker of its own for each measurement, and a target that is many times faster
than any sender. Explained in docs/benchmarks.md.
"""
