"""Everything that runs on one's own machine only: the embedded broker and the partner that records, for the demo and
the tests.
"""
