-- When the support of a submission was concluded: from then on it asks for nothing, though its review still hands over
-- the mail that says so.
alter table public.soundcloud_submissions add column support_ended_at timestamptz;
