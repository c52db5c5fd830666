"""What is run on D1's own engine and on ours, in order, in one database each: statements, some with values."""

from typing import Any

_SCHEMA = """
CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, n INTEGER CHECK (n < 100), r REAL, b BLOB, x)
CREATE TABLE c (id INTEGER PRIMARY KEY AUTOINCREMENT, p REFERENCES p (id) ON DELETE CASCADE, t TEXT DEFAULT 'none')
CREATE TABLE s (a INTEGER, b TEXT, c REAL, d BLOB, e ANY) STRICT
CREATE TABLE w (a TEXT PRIMARY KEY, b) WITHOUT ROWID
CREATE TABLE g (a INTEGER, b INTEGER AS (a * 2) STORED, c INTEGER AS (a * 3) VIRTUAL)
CREATE INDEX i ON p (n) WHERE n > 5
CREATE VIEW v AS SELECT name, n FROM p ORDER BY name
CREATE TRIGGER no_zero BEFORE INSERT ON p WHEN NEW.n = 0 BEGIN SELECT RAISE(ABORT, 'zero is not allowed'); END
CREATE TRIGGER follow AFTER INSERT ON w BEGIN INSERT INTO c (t) VALUES (NEW.a); END
CREATE VIRTUAL TABLE d USING fts5 (title, body)
INSERT INTO p (name, n, r, b, x) VALUES ('a', 1, 1.5, x'00ff', NULL), ('b', 20, -2.0, x'', 'text')
INSERT INTO p (name) VALUES ('z') RETURNING id, name
INSERT INTO c (p) VALUES (1), (1), (2)
INSERT INTO s VALUES (1, 'x', 2, x'01', 'any')
INSERT INTO w VALUES ('k', 1)
INSERT INTO g (a) VALUES (5)
INSERT INTO d VALUES ('Hello', 'the quick brown fox'), ('World', 'jumps over the lazy dog')
"""
_EXPRESSIONS = """
1|1.0|-0.0|1e999|-1e999|5/2|5%3|5.0/2|7.5%2|1/0|1||2|'a'||NULL|NULL IS NULL|1=1.0|'1'=1|TRUE|FALSE|NOT 1|1<2 AND 2<3
~5|1<<40
9223372036854775807|9223372036854775807+1|-9223372036854775808|9007199254740992|9007199254740993|0x7f|1e3|.5
abs(-3)|abs('x')|changes()|char(72,105)|coalesce(NULL,2)|format('%05d|%s|%.2f',7,'x',1.5)|glob('a*','abc')
hex('abc')|hex(x'00ff')
ifnull(NULL,1)|iif(1,'y','n')|instr('hello','l')|length('é')|length(x'00ff')|like('a%','ABC')|lower('ÀB')
upper('àb')|ltrim('  x')|rtrim('x  ')
max(1,2,3)|min('a','b')|nullif(1,1)|printf('%d',3.7)|quote('it''s')|quote(x'01')|quote(1.5)|replace('aXa','X','b')
round(2.567,2)|round(2.5)
sign(-2)|substr('hello',2,3)|substr('hello',-3)|substring('hello',2)|trim('  x ')|typeof(1)|typeof(1.0)|typeof('')
typeof(x'')|typeof(NULL)
unicode('é')|zeroblob(3)|x''|x'0102'|likelihood(1,0.5)|likely(1)|unlikely(0)|total_changes()>=0
last_insert_rowid()>=0|soundex('x')
ceil(1.2)|floor(-1.2)|trunc(1.9)|sqrt(16)|pow(2,10)|exp(0)|ln(1)|log(100)|log2(8)|mod(7,3)|pi()|sin(0)|cos(0)
radians(180)|degrees(pi())|atan2(1,1)
date('2026-05-01')|datetime('2026-05-01T10:00:00Z')|time('10:00:00')|julianday('2026-05-01')
strftime('%Y-%m-%d %H','2026-05-01 10:11')|unixepoch('2026-05-01')
date('2026-01-31','+1 month')|date('2026-05-01','weekday 0')|date('nope')|strftime('%s','2026-05-01')
timediff('2026-05-01','2026-04-01')
json('{"a":1}')|json('{a')|json_array(1,'x',NULL)|json_object('a',1)|json_extract('{"a":[1,2]}','$.a[1]')
'{"a":{"b":2}}'->'$.a'|'{"a":{"b":2}}'->>'$.a.b'
json_type('[1]')|json_valid('x')|json_set('{}','$.a',1)|json_remove('{"a":1}','$.a')|json_patch('{"a":1}','{"b":2}')
json_quote('x')|json_array_length('[1,2]')
jsonb('{"a":1}')|json_error_position('{a')|json_pretty('{"a":1}')|unhex('00ff')|octet_length('é')|concat('a','b')
concat_ws('-','a','b')|string_agg('a',',')
sqlite_version()|sqlite_source_id()|sqlite_compileoption_used('x')|load_extension('x')|readfile('x')
random() IS NOT NULL|length(randomblob(4))|regexp('a','abc')|'abc' REGEXP 'b'
CAST('12abc' AS INTEGER)|CAST(3.9 AS INTEGER)|CAST('x' AS REAL)|CAST(12 AS TEXT)|CAST(x'4142' AS TEXT)
CAST(NULL AS TEXT)|CASE WHEN 1 THEN 'a' ELSE 'b' END
'a' LIKE 'A'|'a' GLOB 'A'|'a%b' LIKE 'a\\%b' ESCAPE '\\'|'abc' BETWEEN 'abb' AND 'abd'|3 IN (1,2,3)|EXISTS (SELECT 1)
(SELECT 7)|(1,2)=(1,2)|'a' COLLATE NOCASE='A'
nope|nope(1)|p.id|abs()|abs(1,2)|sum(1,2)|'unclosed|1 +|(1|"dq"|[br]|`bt`|:a|@a|?2
"""
_STATEMENTS = """
SELECT * FROM p
SELECT *, * FROM w
SELECT id, name AS n, n FROM p ORDER BY id DESC LIMIT 1 OFFSET 1
SELECT count(*), sum(n), avg(n), total(n), group_concat(name, '+') FROM p
SELECT n, count(*) FROM p GROUP BY n HAVING count(*) > 0 ORDER BY n NULLS LAST
SELECT p.name, c.id FROM p LEFT JOIN c ON c.p = p.id ORDER BY 1, 2
SELECT p.name, c.id FROM c RIGHT JOIN p ON c.p = p.id ORDER BY 1, 2
SELECT p.name FROM p FULL JOIN c ON c.p = p.id ORDER BY 1
SELECT name, row_number() OVER (ORDER BY name) FROM p
SELECT name, lag(name) OVER (ORDER BY name), sum(n) OVER () FROM p
WITH RECURSIVE k (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 5) SELECT i FROM k
SELECT 1 UNION SELECT 2 EXCEPT SELECT 1
VALUES (1, 'a'), (2, 'b')
SELECT * FROM json_each('[1,{"a":2}]')
SELECT key, value, type, path FROM json_tree('{"a":[1]}')
SELECT * FROM v
SELECT * FROM g
SELECT typeof(a), typeof(b), typeof(c), typeof(d), typeof(e) FROM s
SELECT rowid, title FROM d WHERE d MATCH 'fox'
SELECT highlight(d, 1, '[', ']') FROM d WHERE d MATCH 'lazy'
SELECT snippet(d, 1, '<', '>', '...', 2), round(bm25(d), 3) FROM d WHERE d MATCH 'the' ORDER BY rank
SELECT * FROM d WHERE d MATCH '"'
INSERT INTO d (d) VALUES ('optimize')
INSERT INTO d (d) VALUES ('nope')
DELETE FROM d WHERE title = 'World'
UPDATE d SET body = 'slow red fox' WHERE title = 'Hello'
SELECT body FROM d WHERE d MATCH 'red'
INSERT INTO p (name, n) VALUES ('a', 1)
INSERT INTO p (id, name) VALUES (1, 'q')
INSERT INTO p (n) VALUES (1)
INSERT INTO p (name, n) VALUES ('q', 100)
INSERT INTO p (name, n) VALUES ('q', 0)
INSERT INTO p (id, name) VALUES ('word', 'q')
INSERT INTO p (name, nope) VALUES ('q', 0)
INSERT INTO p VALUES (1)
INSERT INTO c (p) VALUES (99)
INSERT INTO s (a) VALUES ('x')
INSERT INTO s (c) VALUES (x'00')
INSERT INTO w VALUES ('k', 2)
INSERT INTO w VALUES ('k', 2) ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING *
INSERT OR IGNORE INTO p (name) VALUES ('a')
INSERT OR REPLACE INTO w VALUES ('k', 3)
INSERT OR FAIL INTO p (name) VALUES ('a')
INSERT INTO g (b) VALUES (1)
REPLACE INTO w VALUES ('l', 4)
UPDATE p SET n = 2 WHERE id = 1 RETURNING n
UPDATE p SET n = 2 WHERE id = 99
UPDATE p SET name = 'a'
UPDATE p SET nope = 1
UPDATE p SET n = c.id FROM c WHERE c.p = p.id AND p.id = 1
UPDATE v SET name = 'x'
DELETE FROM p WHERE id = 2 RETURNING name
SELECT p, t FROM c ORDER BY id
DELETE FROM nope
DELETE FROM p ORDER BY id LIMIT 1
SELECT seq FROM sqlite_sequence
SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_cf*' AND name NOT GLOB 'vaultry*' ORDER BY name
SELECT sql FROM sqlite_master WHERE name IN ('c', 'i', 'v', 'follow') ORDER BY name
SELECT name, type, pk, "notnull", dflt_value FROM pragma_table_info('c')
SELECT name, hidden FROM pragma_table_xinfo('g')
SELECT "table", "from", "to", on_delete FROM pragma_foreign_key_list('c')
SELECT name, "unique", origin, partial FROM pragma_index_list('p') ORDER BY name
SELECT name FROM pragma_index_info('i')
PRAGMA table_info(p)
PRAGMA table_xinfo(g)
PRAGMA index_list(p)
PRAGMA index_info(i)
PRAGMA index_xinfo(i)
PRAGMA foreign_key_list(c)
PRAGMA foreign_key_check
PRAGMA foreign_keys
PRAGMA foreign_keys = OFF
PRAGMA defer_foreign_keys
PRAGMA defer_foreign_keys = ON
PRAGMA ignore_check_constraints
PRAGMA legacy_alter_table
PRAGMA recursive_triggers
PRAGMA reverse_unordered_selects
PRAGMA case_sensitive_like = OFF
PRAGMA quick_check
PRAGMA integrity_check
PRAGMA optimize
PRAGMA user_version
PRAGMA user_version = 3
PRAGMA application_id
PRAGMA schema_version
PRAGMA journal_mode
PRAGMA page_count
PRAGMA page_size
PRAGMA cache_size
PRAGMA database_list
PRAGMA function_list
PRAGMA compile_options
PRAGMA encoding
PRAGMA busy_timeout
PRAGMA max_page_count
PRAGMA writable_schema
PRAGMA trusted_schema
PRAGMA secure_delete
PRAGMA auto_vacuum
PRAGMA collation_list
PRAGMA nonsense
ATTACH ':memory:' AS other
DETACH other
BEGIN
BEGIN TRANSACTION; SELECT 1; COMMIT
COMMIT
ROLLBACK
SAVEPOINT a
RELEASE a
VACUUM
VACUUM INTO '/tmp/never'
ANALYZE
REINDEX
EXPLAIN QUERY PLAN SELECT * FROM p WHERE id = 1
CREATE TEMP TABLE t (a)
CREATE TABLE temp.t (a)
CREATE TEMP VIEW t AS SELECT 1
CREATE VIRTUAL TABLE t USING rtree (id, a, b)
CREATE VIRTUAL TABLE t USING fts4 (a)
CREATE VIRTUAL TABLE t USING nope (a)
CREATE TABLE p (a)
CREATE TABLE IF NOT EXISTS p (a)
CREATE TABLE sqlite_t (a)
CREATE TABLE t (a, a)
CREATE TABLE t (a INTEGER) STRICT, STRICT
CREATE TABLE t (a BOOLEAN) STRICT
CREATE TABLE t (a) WITHOUT ROWID
CREATE TABLE t AS SELECT id, name FROM p
SELECT * FROM t
ALTER TABLE t ADD COLUMN z DEFAULT 7
ALTER TABLE t RENAME COLUMN z TO y
SELECT * FROM t
ALTER TABLE t DROP COLUMN y
ALTER TABLE t RENAME TO t2
ALTER TABLE nope RENAME TO t3
ALTER TABLE t2 ADD COLUMN q NOT NULL
CREATE UNIQUE INDEX u ON t2 (name)
CREATE INDEX u ON t2 (name)
CREATE INDEX bad ON nope (a)
CREATE INDEX bad ON t2 (nope)
DROP INDEX u
DROP INDEX u
DROP TABLE t2
DROP TABLE t2
DROP TABLE IF EXISTS t2
DROP VIEW nope
DROP TRIGGER nope
CREATE TRIGGER bad AFTER INSERT ON nope BEGIN SELECT 1; END
CREATE VIEW bad AS SELECT * FROM nope
SELECT * FROM bad
DROP VIEW bad
SELECT
SELEC 1
SELECT * FORM p
SELECT * FROM
SELECT * FROM nope
SELECT nope.* FROM p
SELECT p.nope FROM p
  SELECT nope
SELECT 1; SELECT nope
SELECT 1;   SELEC 2
SELECT name, n FROM p WHERE nope = 1
SELECT id FROM p JOIN c ON c.p = p.id
SELECT * FROM p ORDER BY 9
SELECT * FROM p GROUP BY sum(n)
SELECT sum(sum(n)) FROM p
SELECT (SELECT 1, 2)
SELECT 1 UNION SELECT 1, 2
SELECT * FROM p WHERE id IN (SELECT 1, 2)
SELECT 'a' AS é, 1 AS "two words"
SELECT 1 -- comment
SELECT 1 /* open
/* only */
;
;;SELECT 3;;
SELECT 'a;b'; SELECT "c;d" FROM (SELECT 1 AS "c;d")
SELECT CASE WHEN 1 THEN 'x' END; SELECT 2
CREATE TRIGGER tr AFTER UPDATE ON w BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 3; END; SELECT 4
DROP TRIGGER tr
SELECT 'x' LIKE zeroblob(60000)
SELECT count(*) FROM dbstat
SELECT count(*) FROM sqlite_stmt
SELECT * FROM pragma_function_list LIMIT 1
SELECT * FROM generate_series(1, 3)
UPDATE sqlite_master SET sql = 'x'
DELETE FROM d_data
DROP TABLE d_config
DROP TABLE d
DROP TABLE p
"""
_WITH_VALUES: list[tuple[str, list[Any]]] = [
    ("SELECT ?", [1]),
    ("SELECT ?", [1.5]),
    ("SELECT ?", [True]),
    ("SELECT ?", [None]),
    ("SELECT ?", ["text"]),
    ("SELECT ?", [[0, 255]]),
    ("SELECT ?", [[]]),
    ("SELECT typeof(?)", [7]),
    ("SELECT typeof(?)", [True]),
    ("SELECT typeof(?)", ["7"]),
    ("SELECT 5 / ?", [2]),
    ("SELECT '' || ?", [7]),
    ("SELECT ?2, ?1", ["a", "b"]),
    ("SELECT :a, :b, :a", ["x", "y"]),
    ("SELECT @a, $b", ["x", "y"]),
    ("SELECT ?, ?", [1]),
    ("SELECT ?", [1, 2]),
    ("SELECT 1", [1]),
    ("SELECT ?; SELECT 2", [1]),
    ("SELECT 1; SELECT ?", [7]),
    ("SELECT * FROM p WHERE name = ?", ["a"]),
    ("SELECT id FROM p WHERE id = ?", [1]),
    ("SELECT name FROM p ORDER BY id LIMIT ?", [1]),
    ("INSERT INTO s (a, b, c) VALUES (?, ?, ?)", [1, "t", 2]),
    ("INSERT INTO s (a) VALUES (?)", [1.5]),
    ("INSERT INTO s (b) VALUES (?)", [1]),
    ("SELECT a, b, c FROM s", []),
    ("INSERT INTO w VALUES (?, ?) RETURNING a, typeof(b)", ["m", 1]),
    ("SELECT hex(?)", ["é"]),
    ("SELECT length(?)", ["a\0b"]),
]
_BEFORE_THE_END = "UPDATE sqlite_master"


def corpus() -> list[tuple[str, list[Any]]]:
    """The statements in order, and their values."""
    statements = [line for line in _STATEMENTS.splitlines() if line]
    end = next(n for n, line in enumerate(statements) if line.startswith(_BEFORE_THE_END))
    plain = [line for line in _SCHEMA.splitlines() if line]
    plain += [f"SELECT {text}" for line in _EXPRESSIONS.strip().splitlines() for text in _cut(line)]
    return [
        *((sql, []) for sql in plain),
        *((sql, []) for sql in statements[:end]),
        *_WITH_VALUES,
        *((sql, []) for sql in statements[end:]),
    ]


def _cut(line: str) -> list[str]:
    """The expressions of a line: `|` alone parts them, `||` does not, nor does one in quotes."""
    parts, quoted, start, at = list[str](), False, 0, 0
    while at < len(line):
        if line[at] == "'" and line[at:] != "'unclosed":
            quoted = not quoted
        if line[at : at + 2] == "||":
            at += 1
        elif line[at] == "|" and (not quoted or "unclosed" in line[start:at]):
            parts.append(line[start:at])
            start, quoted = at + 1, False
        at += 1
    return [*parts, line[start:]]
