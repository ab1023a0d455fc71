//! Types that cross from the eBPF programs to the user side through kernel maps.
#![no_std]
