"""`ringback tail`: which receipts are asked for, in which order they come, how a line of them reads (pure); following
them.
"""
