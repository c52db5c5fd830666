"""The band charter: members and instruments, library and parts, concerts and attendance, pages and messages."""
