"""`ringback doctor`: looks at everything that a working system needs, and says what to do about what is wrong.

`checks` is the table. A check looks (the shell modules) and has what it saw judged (`verdicts`, `kept` and `placed`,
which are pure). None changes anything that another process or a reader could see.
"""
