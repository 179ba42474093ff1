"""The dead letters as a product: what lies there, in groups or one by one, sent again or put away."""
