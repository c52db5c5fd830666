-- When somebody was first told how an import ended: the same file sent again before that is the same import.
ALTER TABLE database_jobs ADD COLUMN told_at TEXT CHECK (told_at GLOB '????-??-??T??:??:??.???Z');
