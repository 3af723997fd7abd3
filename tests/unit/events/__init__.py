"""What the contract promises about events, topics, codes and their generated documents."""
