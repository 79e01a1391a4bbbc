#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| rivulet_fuzz::blocks(data));
