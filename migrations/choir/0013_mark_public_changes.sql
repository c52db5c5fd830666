-- A new mark whenever the public directory or the public-domain catalogue changes, whichever way the change came.

CREATE TRIGGER organization_is_published AFTER INSERT ON organizations
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

CREATE TRIGGER organization_is_published_anew AFTER UPDATE OF name, contact_email ON organizations
WHEN NEW.name IS NOT OLD.name OR NEW.contact_email IS NOT OLD.contact_email
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

CREATE TRIGGER organization_is_published_no_more AFTER DELETE ON organizations
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

CREATE TRIGGER work_is_published_anew AFTER UPDATE OF title, composer, lyricist ON works
WHEN EXISTS (SELECT 1 FROM editions
              WHERE work_id = NEW.id AND license_type = 'public_domain' AND deleted_at IS NULL)
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

CREATE TRIGGER edition_is_published AFTER INSERT ON editions
WHEN NEW.license_type = 'public_domain' AND NEW.deleted_at IS NULL
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

CREATE TRIGGER edition_is_published_anew
AFTER UPDATE OF name, arranger, publisher, voicing, edition_type, license_type, notes, external_url, deleted_at
ON editions
WHEN (OLD.license_type = 'public_domain' AND OLD.deleted_at IS NULL)
  OR (NEW.license_type = 'public_domain' AND NEW.deleted_at IS NULL)
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

CREATE TRIGGER edition_is_published_no_more AFTER DELETE ON editions
WHEN OLD.license_type = 'public_domain' AND OLD.deleted_at IS NULL
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

-- Guests see the works of which an edition is free: found from either side without reading other editions.
CREATE INDEX idx_editions_free ON editions (work_id) WHERE license_type = 'public_domain' AND deleted_at IS NULL;
