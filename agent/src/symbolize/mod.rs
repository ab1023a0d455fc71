//! From a program counter to the calls that were active there, inlined ones included.
