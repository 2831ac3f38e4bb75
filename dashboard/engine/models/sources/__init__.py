"""Where weights come from: one file a source, each giving a folder that `from_pretrained` can open."""
