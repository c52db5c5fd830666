-- Signing keys of P-256 (ES256) beside those of Ed25519 (EdDSA).

CREATE TABLE signing_keys_before AS SELECT * FROM signing_keys;

DROP TABLE signing_keys;

CREATE TABLE signing_keys (
    id TEXT PRIMARY KEY,
    -- published as `kid`
    key_id TEXT NOT NULL UNIQUE,
    -- `alg` of what it signs
    algorithm TEXT NOT NULL CHECK (algorithm IN ('ES256', 'EdDSA')),
    -- JWK: kty EC, crv P-256, x, y; or kty OKP, crv Ed25519, x
    public_key TEXT NOT NULL
        CHECK (CASE WHEN json_valid(public_key) THEN
            json_extract(public_key, '$.crv') IS CASE algorithm WHEN 'ES256' THEN 'P-256' ELSE 'Ed25519' END
            ELSE 0 END),
    -- the 32 secret bytes, sealed under the platform's secret
    private_key TEXT NOT NULL CHECK (private_key GLOB 'w1:*'),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    -- from when it may sign; NULL = published only
    activated_at TEXT CHECK (activated_at GLOB '????-??-??T??:??:??.???Z'),
    -- NULL = trusted
    revoked_at TEXT CHECK (revoked_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

INSERT INTO signing_keys (id, key_id, algorithm, public_key, private_key, created_at, activated_at, revoked_at)
SELECT id, key_id, algorithm, public_key, private_key, created_at, activated_at, revoked_at FROM signing_keys_before;

DROP TABLE signing_keys_before;

CREATE INDEX idx_signing_keys_active ON signing_keys (revoked_at);

CREATE TRIGGER signing_keys_only_move_forward BEFORE UPDATE ON signing_keys
WHEN OLD.revoked_at IS NOT NULL OR (OLD.activated_at IS NOT NULL AND NEW.activated_at IS NOT OLD.activated_at)
    OR NEW.key_id IS NOT OLD.key_id OR NEW.algorithm IS NOT OLD.algorithm OR NEW.public_key IS NOT OLD.public_key
BEGIN
    SELECT RAISE(ABORT, 'a signing key is activated once, revoked once, and its public half is fixed');
END;
