//! A process's environment, and the attributes that it may have for OpenTelemetry.
#![no_main]

use gostray::discover::environment::Environment;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Environment::of_block(data);
    let mut block = b"OTEL_RESOURCE_ATTRIBUTES=".to_vec();
    block.extend_from_slice(data);
    let environment = Environment::of_block(&block);
    assert!(environment.service.attributes.len() <= 128);
    // What is said of a problem holds nothing of what it is about.
    for problem in environment.problems {
        assert!(problem.to_string().len() < 300);
    }
});
