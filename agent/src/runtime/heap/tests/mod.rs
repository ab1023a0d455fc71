mod fake;
mod look_up;
mod pointers;
mod spans;
mod specials;
