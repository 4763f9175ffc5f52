"""What the commands say, in words: summaries, ledgers, progress."""
