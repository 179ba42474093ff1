"""`ringback doctor`: looks at everything that a working system needs, and says what to do about what is wrong.

`checks` is the table. A check looks (the shell modules) and has what it saw judged (`verdicts`, `kept` and `placed`,
which are pure). None changes anything that another process could see: the check of the clock leaves an aborted record
in a delay topic, which readers of committed records pass over.
"""
