"""The band's music: catalogue and search, files and parts, who plays what, who holds what, who downloaded what."""
