"""What an operator watches: logs, metrics, traces."""
