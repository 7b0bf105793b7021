-- Days and months are kept by day and by month (see days, months): sums by the quarter of an hour have no reader left.
DROP TABLE IF EXISTS deltas;
