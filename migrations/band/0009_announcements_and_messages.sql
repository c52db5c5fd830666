-- What the band tells its people: announcements, notifications, messages.

-- target_roles: names of roles; an empty list means everybody.
CREATE TABLE announcements (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    content TEXT NOT NULL CHECK (content = trim(content) AND length(content) BETWEEN 1 AND 20000),
    target_roles TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(target_roles) AND json_type(target_roles) = 'array'),
    is_urgent INTEGER NOT NULL DEFAULT 0 CHECK (is_urgent IN (0, 1)),
    status TEXT NOT NULL DEFAULT 'DRAFT' CHECK (status IN ('DRAFT', 'SCHEDULED', 'PUBLISHED', 'ARCHIVED')),
    publish_at TEXT CHECK (publish_at GLOB '????-??-??T??:??:??.???Z'),
    published_at TEXT CHECK (published_at GLOB '????-??-??T??:??:??.???Z'),
    expires_at TEXT CHECK (expires_at GLOB '????-??-??T??:??:??.???Z'),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    created_by TEXT,
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK (status <> 'SCHEDULED' OR publish_at IS NOT NULL),
    CHECK (status <> 'PUBLISHED' OR published_at IS NOT NULL)
) STRICT;
CREATE INDEX idx_announcements_status ON announcements (status);
CREATE INDEX idx_announcements_publish_at ON announcements (publish_at);
CREATE INDEX idx_announcements_published_at ON announcements (published_at);
CREATE INDEX idx_announcements_expires_at ON announcements (expires_at);

-- dedupe_key makes every producer safe to repeat.
CREATE TABLE user_notifications (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    type TEXT NOT NULL
        CHECK (type IN ('ANNOUNCEMENT', 'EVENT_REMINDER', 'MUSIC_ASSIGNMENT', 'ATTENDANCE_REMINDER', 'SYSTEM')),
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 300),
    message TEXT NOT NULL CHECK (length(message) <= 203),
    link_url TEXT,
    link_text TEXT,
    announcement_id TEXT REFERENCES announcements (id) ON DELETE SET NULL,
    event_id TEXT,
    is_read INTEGER NOT NULL DEFAULT 0 CHECK (is_read IN (0, 1)),
    read_at TEXT CHECK (read_at GLOB '????-??-??T??:??:??.???Z'),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    dedupe_key TEXT UNIQUE,
    CHECK ((is_read = 1) = (read_at IS NOT NULL))
) STRICT;
CREATE INDEX idx_user_notifications_user_id ON user_notifications (user_id);
CREATE INDEX idx_user_notifications_is_read ON user_notifications (is_read);
CREATE INDEX idx_user_notifications_created_at ON user_notifications (created_at);
CREATE INDEX idx_user_notifications_announcement_id ON user_notifications (announcement_id) WHERE
        announcement_id IS NOT NULL;

-- sender_id and recipients may outlive the users they name; the sender's name is copied when the message is sent.
CREATE TABLE messages (
    id TEXT PRIMARY KEY NOT NULL,
    subject TEXT NOT NULL CHECK (subject = trim(subject) AND length(subject) BETWEEN 1 AND 200),
    body TEXT NOT NULL CHECK (body = trim(body) AND length(body) BETWEEN 1 AND 20000),
    sender_id TEXT NOT NULL,
    sender_name TEXT NOT NULL CHECK (sender_name = trim(sender_name) AND length(sender_name) BETWEEN 1 AND 200),
    recipients TEXT NOT NULL CHECK (json_valid(recipients) AND json_type(recipients) = 'array'),
    sent_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (sent_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_messages_sender_id ON messages (sender_id);
CREATE INDEX idx_messages_sent_at ON messages (sent_at);

CREATE TRIGGER message_is_never_edited
BEFORE UPDATE OF subject, body, sender_id, recipients, sent_at ON messages
BEGIN
    SELECT RAISE(ABORT, 'immutable: a message stays as it was sent');
END;
