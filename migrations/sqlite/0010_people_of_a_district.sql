-- Whoever reads the people of one district does not read those of all others too.
CREATE INDEX person_district ON person (district, id);
