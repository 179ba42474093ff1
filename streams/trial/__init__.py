"""`ringback send-test`: an example record that fires a postback, the postback as it is tried, and what the sender would
make of the answer. Pure.
"""
