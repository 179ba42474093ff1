"""Speed and size, side by side in one run: ratios, not absolutes. Not part of the test run.

`make bench` has the worker beside its peers and a floor, against a real broker, in suites (`suites`, explained in
docs/benchmarks.md); without one `deciding` says what a record costs by the number of postbacks, `states` how large the
states of devices are, and `render` what a template takes.
"""
