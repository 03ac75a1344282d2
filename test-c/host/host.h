/* What the host program offers to its services: they find it, like the core, in the executable. */
#ifndef HOST_H
#define HOST_H

/* Evaluates a Lua expression with the host's own Lua; -1 when it fails. */
long host_evaluate(const char *expression);

/* A service tells the host how many answers it got and whether all were right. */
void host_report(int answers, int right);

#endif
