-- Stripe answers 404 for an object that it once listed (a draft that was deleted, all that a test clock held): it is
-- not read alone again, until a read shows it after all. There is no record of it, since there are no bytes of Stripe's.

ALTER TABLE objects ADD COLUMN gone boolean NOT NULL DEFAULT false;
