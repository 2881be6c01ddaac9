"""Processors, memory and threads."""
