"""Confirms a sweep's winners before one is promoted: new seeds, all epochs, against the default hyp."""
