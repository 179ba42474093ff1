"""What the docs show is computed: histories of devices run through the pure core, drawn, and written into the pages.

`python -m tests.examples` (part of `make docs`) writes them; the tests compute them again and compare.
"""
