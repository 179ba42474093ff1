"""The command line: `ringback <command>`. Commands call the rooms; nobody calls them.

Every command says in a line what went wrong and what to do, and ends with 0 (done), 1 (something failed while running)
or 2 (it was told something wrong). Rooms are imported by the command that needs them, so that `ringback --help` is
quick.
"""
