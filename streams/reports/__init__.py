"""What was counted, summed up and shown: the report topic's daily counts, and whether they agree with each other."""
