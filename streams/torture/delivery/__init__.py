"""`ringback torture delivery`: senders that are killed, added, taken away and robbed of their broker while twenty
partners, four of them bad ones, are sent many jobs; and at the end an account of every job.
"""
