-- Ed25519 key pairs that sign access tokens.

CREATE TABLE signing_keys (
    id TEXT PRIMARY KEY,
    -- published as `kid`
    key_id TEXT NOT NULL UNIQUE,
    algorithm TEXT NOT NULL DEFAULT 'EdDSA' CHECK (algorithm = 'EdDSA'),
    -- JWK: kty OKP, crv Ed25519, x
    public_key TEXT NOT NULL
        CHECK (CASE WHEN json_valid(public_key) THEN json_extract(public_key, '$.crv') IS 'Ed25519' ELSE 0 END),
    -- the 32 secret bytes, sealed under the platform's secret
    private_key TEXT NOT NULL CHECK (private_key GLOB 'w1:*'),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    -- from when it may sign; NULL = published only
    activated_at TEXT CHECK (activated_at GLOB '????-??-??T??:??:??.???Z'),
    -- NULL = trusted
    revoked_at TEXT CHECK (revoked_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

CREATE INDEX idx_signing_keys_active ON signing_keys (revoked_at);

CREATE TRIGGER signing_keys_only_move_forward BEFORE UPDATE ON signing_keys
WHEN OLD.revoked_at IS NOT NULL OR (OLD.activated_at IS NOT NULL AND NEW.activated_at IS NOT OLD.activated_at)
    OR NEW.key_id IS NOT OLD.key_id OR NEW.public_key IS NOT OLD.public_key
BEGIN
    SELECT RAISE(ABORT, 'a signing key is activated once, revoked once, and its public half is fixed');
END;
