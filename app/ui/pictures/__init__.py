"""Pictures in grids, tables and previews: thumbnails, large ones, what was done with them."""
