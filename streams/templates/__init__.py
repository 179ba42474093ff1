"""Templates: from a postback's endpoint to the request at the partner (contract §6). Pure.

Theory of operation. An endpoint is compiled once per configuration (`request.compile_request`): its texts are parsed
in a single pass (`parse`), every macro is looked up in one table (`macros`), every modifier in another (`modifiers`),
and whatever is wrong is reported at once, each with its column. What comes out renders in two steps:

1. The worker renders what it knows (`request.CompiledRequest.render`). The result is a `schemas.job.Request`: literal
   text, already encoded for the place where it stands, and a few deferred parts.
2. The sender finishes it (`finish.finish`): the attempt, the moment of sending, secrets, and whatever is computed
   from a secret. So no secret ever stands in a job.

A value is inserted once and encoded once; nothing looks at the result again, so a value that reads `{click_id}` or
`${env:KEY}` stays just that.
"""
