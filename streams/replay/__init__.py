"""Recorded input once more through the rules of the worker, in memory: nothing is sent, written or committed."""
