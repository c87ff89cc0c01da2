"""How fast a checkpoint is, how much memory it takes, and what that costs: ours and its peers."""
