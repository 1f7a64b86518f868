"""Arrays in, numbers out: no words, no thresholds that decide, no store."""
