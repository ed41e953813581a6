"""The nodes of DiffEdit, one file each: schema, checks, one call into `diffedit_core`."""
