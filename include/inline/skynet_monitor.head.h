/* What one worker thread is busy with, for the thread that looks for endless loops. */
struct skynet_monitor;
