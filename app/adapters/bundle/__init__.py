"""From a folder of files to a network that answers: read, verified, signed, run."""
