-- The request and the trace that the row's wish came with: its steps carry them on.
ALTER TABLE clusters ADD COLUMN cause_request_id text, ADD COLUMN cause_traceparent text;
ALTER TABLE cluster_installations ADD COLUMN cause_request_id text, ADD COLUMN cause_traceparent text;
