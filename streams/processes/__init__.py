"""Several processes of one command under one parent: `ringback worker --processes N`, `ringback sender --processes N`.

The parent (`parent`) starts the children, each with its share of the settings (`shares`), starts anew what dies
(`restarts` says when, and when not), passes on that it is to end, and answers for all of them. A child (`child`) ends
with its parent, whatever ended that one.
"""
