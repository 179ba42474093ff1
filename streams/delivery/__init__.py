"""The sender: a job is read, waits until it is due and its partner can take it, is sent, and ends in receipts
(contract §7).

A job's way through this room: `consumer` reads it, `jobs` decodes it, `course` says whether it is to be sent at all,
`tiers` where it waits, `lanes` when its partner takes it, `wire` sends it past the guard of `egress`, `retry` rules
on the answer, `receipts` words that, and `outcomes` commits all of it together with the source offset. `sender`
holds these together; `app` starts and stops it.
"""
