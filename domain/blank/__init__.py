"""The blank charter: the kernel, and room for a schema of one's own."""
