mod fake;
mod look_up;
mod spans;
mod specials;
