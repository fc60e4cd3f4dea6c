-- At which number somebody of an organization is called (值班电话); older ones have none yet.
ALTER TABLE organization ADD COLUMN phone TEXT;
ALTER TABLE organization_version ADD COLUMN phone TEXT;

-- Whether anybody belongs to an organization, without a look at all people.
CREATE INDEX person_organization ON person (organization);
