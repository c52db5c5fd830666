-- Roles held per organization, and the rule that an organization keeps an owner who can sign in.

CREATE TABLE member_roles (
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'librarian', 'conductor', 'section_leader')),
    granted_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (granted_at GLOB '????-??-??T??:??:??.???Z'),
    granted_by TEXT REFERENCES members (id),
    PRIMARY KEY (member_id, org_id, role),
    -- Roles end with the membership they belong to.
    FOREIGN KEY (member_id, org_id) REFERENCES member_organizations (member_id, org_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX idx_member_roles_org_id ON member_roles (org_id);
CREATE INDEX idx_member_roles_member_id ON member_roles (member_id);
CREATE INDEX idx_member_roles_role ON member_roles (role);
CREATE INDEX idx_member_roles_granted_by ON member_roles (granted_by) WHERE granted_by IS NOT NULL;

CREATE VIEW registered_owners (org_id, member_id) AS
SELECT r.org_id, r.member_id
  FROM member_roles AS r JOIN members AS m ON m.id = r.member_id
 WHERE r.role = 'owner' AND m.email_id IS NOT NULL;

CREATE VIEW sole_owners (org_id, member_id) AS
SELECT org_id, min(member_id) FROM registered_owners GROUP BY org_id HAVING count(*) = 1;

-- WHEN the organization still exists: its own deletion takes the owner along.
CREATE TRIGGER last_owner_keeps_the_role
BEFORE DELETE ON member_roles
WHEN OLD.role = 'owner'
 AND EXISTS (SELECT 1 FROM organizations WHERE id = OLD.org_id)
 AND EXISTS (SELECT 1 FROM sole_owners WHERE org_id = OLD.org_id AND member_id = OLD.member_id)
BEGIN
    SELECT RAISE(ABORT, 'last_owner: an organization keeps at least one registered owner');
END;

CREATE TRIGGER role_keeps_its_key
BEFORE UPDATE OF member_id, org_id, role ON member_roles
WHEN OLD.role = 'owner'
 AND (NEW.member_id IS NOT OLD.member_id OR NEW.org_id IS NOT OLD.org_id OR NEW.role IS NOT OLD.role)
 AND EXISTS (SELECT 1 FROM sole_owners WHERE org_id = OLD.org_id AND member_id = OLD.member_id)
BEGIN
    SELECT RAISE(ABORT, 'last_owner: an organization keeps at least one registered owner');
END;

CREATE TRIGGER last_owner_keeps_the_address
BEFORE UPDATE OF email_id ON members
WHEN NEW.email_id IS NULL AND OLD.email_id IS NOT NULL
 AND EXISTS (SELECT 1 FROM sole_owners WHERE member_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'last_owner: an organization keeps at least one registered owner');
END;

CREATE TRIGGER last_owner_is_not_deleted
BEFORE DELETE ON members
WHEN EXISTS (SELECT 1 FROM sole_owners WHERE member_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'last_owner: an organization keeps at least one registered owner');
END;

CREATE TRIGGER umbrella_knows_owner_and_admin
BEFORE INSERT ON member_roles
WHEN NEW.role NOT IN ('owner', 'admin')
 AND (SELECT type FROM organizations WHERE id = NEW.org_id) = 'umbrella'
BEGIN
    SELECT RAISE(ABORT, 'umbrella_role: an umbrella grants owner and admin only');
END;

CREATE TRIGGER umbrella_keeps_owner_and_admin
BEFORE UPDATE OF org_id, role ON member_roles
WHEN NEW.role NOT IN ('owner', 'admin')
 AND (SELECT type FROM organizations WHERE id = NEW.org_id) = 'umbrella'
BEGIN
    SELECT RAISE(ABORT, 'umbrella_role: an umbrella grants owner and admin only');
END;
