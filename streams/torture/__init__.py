"""`ringback torture`: workers that are killed, frozen, robbed of their state and of their broker while records pour in,
and at the end a comparison of everything that they wrote with what the rules give.
"""
