"""What people look at: overlays, the printed report, the summary page."""
