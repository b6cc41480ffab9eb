"""First room: everything that makes a data set. Knows neither torch nor ray."""
