"""Attribution: whose device is this, who brought its user, and which derived events does a record yield?

A record comes in at `identity.place` and becomes an `entry.Entry`, or an `entry.Rejection` that says why not.
`fold.fold` takes it with its device's state and answers with the new state and the facts; `fold.release` does what is
due for held records. The facts tell which derived events fired (the table in `events`) and the attribution that each
goes by. `periods` has the rules of the timeline, `touches` those of eligibility, `state` what is stored.

Pure: no clock, no input, no output. All times are milliseconds since 1970 UTC, all durations milliseconds.
"""
