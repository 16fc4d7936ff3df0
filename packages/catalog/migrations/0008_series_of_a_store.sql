-- A restored catalog is told of the series that the store has samples of: their ids are not given again.
grant usage, select on sequence fieldline.series_id_seq to fieldline_system;
