#![no_std]
//! Placeholder while the workspace is laid out.
