"""Speed, side by side in one run with a floor and a peer: `make bench`. Not part of the test run; ratios, not
absolutes.
"""
