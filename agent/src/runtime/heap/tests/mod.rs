mod fake;
mod pointers;
mod spans;
mod specials;
