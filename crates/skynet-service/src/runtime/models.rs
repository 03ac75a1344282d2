//! Models of what threads do to a service, for loom.
