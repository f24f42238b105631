-- Moments are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE server (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    secret       BLOB    NOT NULL, -- 256 random bits; tokens, fake salts and row checks come from it
    secret_check BLOB    NOT NULL, -- the beginning of its SHA-256
    epoch        INTEGER NOT NULL, -- grows with each change of an account or verifier
    fast_counter INTEGER NOT NULL  -- grows with each token; never goes back
) STRICT;

CREATE TABLE account (
    id       INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
    domain   TEXT    NOT NULL,
    local    TEXT    NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0,
    created  INTEGER NOT NULL,
    UNIQUE (domain, local)
) STRICT;

CREATE TABLE verifier (
    account    INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    family     TEXT    NOT NULL, -- name of the SCRAM mechanism
    salt       BLOB    NOT NULL,
    iterations INTEGER NOT NULL,
    stored_key BLOB    NOT NULL,
    server_key BLOB    NOT NULL,
    mac        BLOB    NOT NULL, -- over the account's name and the columns above
    PRIMARY KEY (account, family)
) STRICT, WITHOUT ROWID;

CREATE TABLE fast_token (
    account   INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    client    TEXT    NOT NULL,
    slot      INTEGER NOT NULL CHECK (slot IN (0, 1)), -- 0 current, 1 new (XEP-0484)
    mechanism TEXT    NOT NULL,
    counter   INTEGER NOT NULL,
    issued    INTEGER NOT NULL,
    expiry    INTEGER NOT NULL,
    used      INTEGER NOT NULL DEFAULT 0, -- the highest replay count seen
    PRIMARY KEY (account, client, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE invitation (
    hash    BLOB    PRIMARY KEY, -- SHA-256 of the token
    domain  TEXT    NOT NULL,
    local   TEXT,                -- set: only this name may be made of it
    inviter TEXT,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    used    INTEGER              -- when; NULL: not yet
) STRICT, WITHOUT ROWID;
