"""The band's files: music, media, photos, who may read them and who did. Knows rows; the storage keeps the bytes."""
