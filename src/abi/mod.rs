//! The only exported `extern "C"` functions: one file for each upstream header, each function a few lines.
