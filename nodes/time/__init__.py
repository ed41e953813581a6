"""The nodes of TIME, one file each: schema, checks, one call into `time_core`."""
