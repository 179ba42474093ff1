"""HTTP/1.1 as the sender speaks it: one request, one answer, nothing by itself.

`origins` and `requests` make the bytes that go out, `answers` reads what comes back, `plain` most of it, all four
pure. `names`, `dialling` and `connections` do it on sockets, and `failures` says what an exception on the way means.
Why not a client library: one that follows, decodes, resends and rewrites does for each request several times the work
of this, and each of these things has to be switched off again.
"""
