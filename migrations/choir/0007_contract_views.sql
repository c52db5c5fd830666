-- What the engine knows about people: who can sign in, and what they may do in which organization.

CREATE VIEW principals (id, email, name, active) AS
SELECT m.id, m.email_id_lookup, m.name,
       EXISTS (SELECT 1 FROM member_organizations AS o WHERE o.member_id = m.id)
  FROM members AS m
 WHERE m.email_id IS NOT NULL;

-- The permission matrix: which roles hold a permission in a collective, and which in an umbrella (there on its own
-- material only). Every name stands between blanks. 'member' is no stored role: every registered member holds it.
CREATE VIEW permission_matrix (permission, collective, umbrella) AS
VALUES
    ('member',            ' member ',                                              ' member '),
    ('owner',             ' owner ',                                               ' owner '),
    ('desk:admin',        ' owner admin ',                                         ' owner admin '),
    ('desk:librarian',    ' owner admin librarian ',                               ' owner admin '),
    ('desk:repertoire',   ' owner admin librarian conductor ',                     ' owner admin '),
    ('scores:view',       ' owner admin librarian conductor section_leader member ', ' owner admin member '),
    ('scores:download',   ' owner admin librarian conductor section_leader member ', ' owner admin member '),
    ('scores:upload',     ' librarian ',                                           ' owner admin '),
    ('scores:delete',     ' librarian ',                                           ' owner admin '),
    ('members:invite',    ' owner admin ',                                         ' owner admin '),
    ('members:manage',    ' owner admin ',                                         ' owner admin '),
    ('vault:delete',      ' owner ',                                               ' owner '),
    ('federation:manage', ' owner ',                                               ' owner '),
    ('events:create',     ' conductor ',                                           ' owner admin '),
    ('events:manage',     ' conductor ',                                           ' owner admin '),
    ('events:delete',     ' conductor ',                                           ' owner admin '),
    ('attendance:record', ' conductor section_leader ',                            ''),
    ('takedowns:process', ' owner admin ',                                         ' owner admin ');

-- The union of all roles held in the organization. Without a sign-in address there is no grant, whatever is stored.
CREATE VIEW grants (principal_id, permission, scope) AS
SELECT membership.member_id, matrix.permission, membership.org_id
  FROM member_organizations AS membership
  JOIN members AS m ON m.id = membership.member_id AND m.email_id IS NOT NULL
  JOIN organizations AS o ON o.id = membership.org_id
  JOIN permission_matrix AS matrix
 WHERE instr(iif(o.type = 'umbrella', matrix.umbrella, matrix.collective), ' member ')
    OR EXISTS (
        SELECT 1 FROM member_roles AS r
         WHERE r.member_id = membership.member_id AND r.org_id = membership.org_id
           AND instr(iif(o.type = 'umbrella', matrix.umbrella, matrix.collective), ' ' || r.role || ' '));
