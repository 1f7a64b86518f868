"""What every plot draws, as frozen arrays and strings; nothing here knows how it will be drawn."""
