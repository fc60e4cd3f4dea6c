-- Who stands for nothing in a district may do so in another: found without a look at the duties of all.
CREATE INDEX duty_person ON duty (person);
