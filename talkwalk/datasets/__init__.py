"""Publishers' file formats, each turned into a `Catalog`."""
