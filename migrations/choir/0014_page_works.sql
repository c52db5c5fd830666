-- One organization's works page by page, in the order of their ids.
CREATE INDEX idx_works_org_id_id ON works (org_id, id);
