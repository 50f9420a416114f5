-- Evidence named other supporters of the track by their handles, and its supporter reads it. What is written from now on
-- names their reposts by id, which only ops can follow; of what is there the names go, and the count stays.
update public.soundcloud_proof_checks
set facts = facts - 'later'
where source = 'reposters' and facts ? 'later';
