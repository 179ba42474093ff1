"""`ringback render`: what a record would make of a postback, by the rules that the worker has, without Kafka. Pure.

`values` takes the records of a text apart and decodes them as their sources do; `history` folds them, device by device
and user by user; `answer` finds the postback's job among what the last one decides, or says in words why there is none.
"""
