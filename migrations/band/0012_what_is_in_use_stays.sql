-- Instruments and sections that something refers to are not deleted; the refusal says what it is.

CREATE TRIGGER instrument_in_use_stays
BEFORE DELETE ON instruments
WHEN EXISTS (SELECT 1 FROM member_instruments WHERE instrument_id = OLD.id)
  OR EXISTS (SELECT 1 FROM music_parts WHERE instrument_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'in_use: a member plays the instrument, or a part is written for it');
END;

CREATE TRIGGER section_in_use_stays
BEFORE DELETE ON sections
WHEN EXISTS (SELECT 1 FROM member_sections WHERE section_id = OLD.id)
  OR EXISTS (SELECT 1 FROM event_notes WHERE target_section = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'in_use: a member sits in the section, or a note is meant for it');
END;
