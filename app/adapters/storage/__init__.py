"""The database: what is kept, who may ask, and who did."""
