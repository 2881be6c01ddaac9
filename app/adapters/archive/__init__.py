"""Studies by the thousand: where they come from, where their scores go, who helps."""
