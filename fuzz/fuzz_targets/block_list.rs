#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ghostmux::fuzzing::run("block_list", input));
