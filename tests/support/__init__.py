"""What tests of several rooms share: waiting for something, writing and reading topics, starting our processes."""
