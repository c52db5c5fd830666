-- Lists in their order, and numbers by any part of them, without reading every row.

CREATE INDEX idx_music_assignments_assigned_at ON music_assignments (assigned_at, id);
CREATE INDEX idx_music_pieces_title_order ON music_pieces (title COLLATE NOCASE, id, is_archived) WHERE deleted_at IS NULL;
CREATE INDEX idx_music_pieces_numbers ON music_pieces (catalog_number, id) WHERE catalog_number IS NOT NULL;
