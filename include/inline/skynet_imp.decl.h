/* What skynet_start calls: with the size of the structure, the release and the revision of these headers. */
void skynet_start_for(const struct skynet_config *config, size_t size, int api_version, int headers);
