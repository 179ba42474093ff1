"""`ringback pause` and `ringback resume`: whom a name means, what is in force, and what a change comes to in words.
Pure.
"""
