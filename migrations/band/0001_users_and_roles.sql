-- Who can sign in, which roles they hold, and what a role allows. Passwords and sessions are the registry's.

-- email holds ciphertext; email_hash is the keyed hash of the normalised address.
CREATE TABLE users (
    id TEXT PRIMARY KEY NOT NULL,
    email TEXT NOT NULL,
    email_hash TEXT NOT NULL UNIQUE,
    email_verified TEXT CHECK (email_verified GLOB '????-??-??T??:??:??.???Z'),
    name TEXT CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    image TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    deleted_at TEXT CHECK (deleted_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_users_deleted_at ON users (deleted_at);

CREATE TABLE roles (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 60) UNIQUE,
    display_name TEXT NOT NULL CHECK (display_name = trim(display_name) AND length(display_name) BETWEEN 1 AND 100),
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 500),
    type TEXT NOT NULL
        CHECK (type IN
            ('SUPER_ADMIN', 'ADMIN', 'DIRECTOR', 'STAFF', 'SECTION_LEADER', 'LIBRARIAN', 'MUSICIAN', 'PUBLIC')),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_roles_type ON roles (type);

-- assigned_by may outlive the user it names.
CREATE TABLE user_roles (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    assigned_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (assigned_at GLOB '????-??-??T??:??:??.???Z'),
    assigned_by TEXT,
    expires_at TEXT CHECK (expires_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE UNIQUE INDEX idx_user_roles_user_role ON user_roles (user_id, role_id);
CREATE INDEX idx_user_roles_user_id ON user_roles (user_id);
CREATE INDEX idx_user_roles_role_id ON user_roles (role_id);

CREATE TABLE permissions (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE CHECK (name NOT GLOB '*[^a-z._]*' AND name GLOB '[a-z]*.[a-z]*'),
    resource TEXT NOT NULL CHECK (resource = trim(resource) AND length(resource) BETWEEN 1 AND 60),
    action TEXT NOT NULL CHECK (action = trim(action) AND length(action) BETWEEN 1 AND 60),
    scope TEXT CHECK (scope IN ('all', 'assigned', 'own', 'section', 'public')),
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 500),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_permissions_resource_action ON permissions (resource, action);

CREATE TABLE role_permissions (
    id TEXT PRIMARY KEY NOT NULL,
    role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    permission_id TEXT NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    UNIQUE (role_id, permission_id)
) STRICT;
CREATE INDEX idx_role_permissions_role_id ON role_permissions (role_id);
CREATE INDEX idx_role_permissions_permission_id ON role_permissions (permission_id);
