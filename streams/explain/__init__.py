"""Why a record came to what it came to, told in words: what the topics hold of it, and the rules applied once more."""
