mod fake;
mod spans;
